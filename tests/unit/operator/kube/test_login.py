"""How the operator reaches an API server."""

import json
import os
import ssl
from pathlib import Path

import kopf
import pytest

from jelmore_operator.kube.api import connect
from jelmore_operator.kube.intake import _login


@pytest.fixture
def _cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://cluster:6443"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(document))
    # It is read from the environment when the client is imported.
    location = "kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(location, os.fspath(tmp_path / "config"))


@pytest.mark.usefixtures("_cluster")
async def test_certificates_of_real_clusters_are_taken_for_watches_too() -> None:
    class Logger:
        def debug(self, *arguments: object) -> None:
            pass

    found = await _login(logger=Logger(), settings=kopf.OperatorSettings())
    assert found is not None
    assert (found.server, found.token) == ("https://cluster:6443", "t")
    context = found.as_ssl_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.usefixtures("_cluster")
async def test_and_for_calls() -> None:
    client = await connect()
    try:
        assert client.configuration.disable_strict_ssl_verification
        assert client.configuration.verify_ssl
    finally:
        await client.close()
