"""Certificates made for a test: an authority of its own, what it has signed, and what nobody should trust."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True)
class Signed:
    """Files in PEM form. `both`: certificate and key in one."""

    certificate: Path
    key: Path
    both: Path


@dataclass(frozen=True)
class TlsFiles:
    """server: for localhost and 127.0.0.1. elsewhere: for another name. other_ca: of an authority that
    signed the stranger alone.
    """

    ca: Path
    server: Signed
    expired: Signed
    elsewhere: Signed
    client: Signed
    other_ca: Path
    stranger: Signed


def _write(folder: Path, name: str, certificate: trustme.LeafCert) -> Signed:
    files = Signed(*(folder / f"{name}.{kind}" for kind in ("crt", "key", "pem")))
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    files.key.write_bytes(certificate.private_key_pem.bytes())
    files.both.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    files.key.chmod(0o600)
    return files


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    authority, other = trustme.CA(), trustme.CA()
    for name, made in (("ca", authority), ("other-ca", other)):
        made.cert_pem.write_to_path(str(folder / f"{name}.crt"))
    here = ("localhost", "127.0.0.1")
    past = datetime.now(UTC) - timedelta(days=1)
    return TlsFiles(
        ca=folder / "ca.crt",
        server=_write(folder, "server", authority.issue_cert(*here)),
        expired=_write(folder, "expired", authority.issue_cert(*here, not_after=past)),
        elsewhere=_write(folder, "elsewhere", authority.issue_cert("nats.example.com")),
        client=_write(folder, "client", authority.issue_cert("me@example.com", common_name="jelmore")),
        other_ca=folder / "other-ca.crt",
        stranger=_write(folder, "stranger", other.issue_cert("me@example.com", common_name="jelmore")),
    )
