"""The cluster's certificates and keys, made with openssl, valid for a month."""

import secrets
import subprocess

from tests.cluster.errors import ClusterError
from tests.cluster.layout import API_SERVICE_IP, NODE_IP, State

_DAYS = "30"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SERVER_NAMES = (
    f"IP:{NODE_IP},IP:127.0.0.1,IP:{API_SERVICE_IP},DNS:localhost,DNS:kubernetes.default,DNS:kubernetes.default.svc"
)


def make(state: State) -> None:
    state.pki.mkdir(mode=0o700)
    _openssl(state, "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=jelmore-tests",
             "-days", _DAYS)  # fmt: skip
    _signed(state, "apiserver", "/CN=kube-apiserver", _SERVER_NAMES)
    _signed(state, "kubelet-client", "/O=system:masters/CN=apiserver-kubelet-client", "DNS:apiserver")
    _openssl(state, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "accounts.key")
    token = secrets.token_hex(16)
    state.token.write_text(token)
    (state.pki / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')


def _signed(state: State, name: str, subject: str, names: str) -> None:
    _openssl(state, "req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
    (state.pki / f"{name}.ext").write_text(f"subjectAltName={names}\n")
    _openssl(state, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", _DAYS, "-extfile", f"{name}.ext", "-out", f"{name}.crt")  # fmt: skip


def _openssl(state: State, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=state.pki, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]}: {done.stderr.strip()}")
