"""`python -m jelmore_operator.identity`: files that belong together, and no secret where it does not."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from jelmore_operator.identity import Identity
from jelmore_operator.identity.__main__ import main
from jelmore_operator.identity.bundled import make_once
from jelmore_operator.kube.api import SECRETS, Api, ApiError, Document, Kind


def test_it_writes_what_server_and_chart_need_and_prints_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"
    assert main([str(folder), "--namespace", "prod"]) == 0
    keys = (folder / "nats-keys.json").read_text()
    assert Identity.load(folder / "nats-keys.json").server_config().startswith("operator: ")
    secret = json.loads((folder / "secret.yaml").read_text())
    assert secret["metadata"] == {"name": "jelmore-nats", "namespace": "prod"}
    assert secret["stringData"] == {"nats-keys.json": keys, "core.creds": (folder / "core.creds").read_text()}
    printed = capsys.readouterr().out
    assert "kubectl -n prod apply" in printed
    for seed in json.loads(keys).values():
        assert seed not in printed
        assert seed not in (folder / "accounts.conf").read_text()
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {name: mode for name, mode in modes.items() if name != "accounts.conf"} == dict.fromkeys(
        ("nats-keys.json", "core.creds", "secret.yaml"), 0o600
    )


def test_run_again_it_keeps_the_keys(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    keys = (tmp_path / "nats-keys.json").read_text()
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "nats-keys.json").read_text() == keys


def test_keys_that_are_damaged_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nats-keys.json").write_text("{}")
    assert main([str(tmp_path)]) == 1
    assert (tmp_path / "nats-keys.json").read_text() == "{}"
    assert "nats-keys.json holds no NATS keys" in capsys.readouterr().err


def permissions(credentials: Path) -> dict[str, Any]:
    """What a credentials file's token says."""
    body = credentials.read_text().splitlines()[1].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))["nats"]
    return claims


def test_a_subscriber_of_some_namespaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    capsys.readouterr()
    assert main([str(tmp_path), "--subscriber", "billing", "--namespace", "team-a", "--namespace", "team-b"]) == 0
    file = tmp_path / "billing.creds"
    assert permissions(file)["sub"] == {"allow": ["jelmore.event.team-a.>", "jelmore.event.team-b.>"]}
    assert permissions(file)["pub"] == {"deny": [">"]}
    assert file.stat().st_mode & 0o777 == 0o600
    printed = capsys.readouterr().out
    assert "team-a, team-b" in printed
    assert "SEED" not in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--subscriber", "../out"], "names no file"),
        (["--subscriber", "core"], "take another name"),
        (["--subscriber", "billing", "--namespace", "*"], "not a namespace name"),
    ],
)
def test_a_subscriber_that_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main([str(tmp_path)]) == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main([str(tmp_path), *arguments]) == 1
    assert sentence in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_subscriber_needs_the_keys_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "typo"), "--subscriber", "billing"]) == 1
    assert "name the folder with the keys" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [[], ["folder", "--in-cluster", "s"], ["folder", "--namespace", "a", "--namespace", "b"]]
)
def test_arguments_that_do_not_fit(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "error: " in capsys.readouterr().err


class Secrets(Api):
    """An API server that keeps Secrets."""

    def __init__(self, refusal: ApiError | None = None) -> None:
        self.kept: list[Document] = []
        self._refusal = refusal

    async def create(self, kind: Kind, document: Document) -> Document:
        assert kind == SECRETS
        if self._refusal is not None:
            raise self._refusal
        self.kept.append(document)
        return document


async def test_the_secret_of_the_bundled_servers(tmp_path: Path) -> None:
    cluster = Secrets()
    assert await make_once(cluster, "jelmore", "jelmore-bundled")
    (secret,) = cluster.kept
    assert secret["immutable"] is True
    data = secret["stringData"]
    (tmp_path / "keys.json").write_text(data["nats-keys.json"])
    assert Identity.load(tmp_path / "keys.json").server_config().split()[:2][0] == "operator:"
    assert data["valkey-password.conf"] == f"requirepass {data['valkey-password']}\n"
    # They stand in URLs.
    assert all(data[f"{server}-password"].isalnum() for server in ("postgres", "valkey"))


async def test_a_secret_that_is_there_stays() -> None:
    assert not await make_once(Secrets(ApiError(409, "AlreadyExists", "left out")), "jelmore", "jelmore-bundled")


async def test_any_other_refusal_is_told() -> None:
    with pytest.raises(ApiError, match="Forbidden"):
        await make_once(Secrets(ApiError(403, "Forbidden", "left out")), "jelmore", "jelmore-bundled")
