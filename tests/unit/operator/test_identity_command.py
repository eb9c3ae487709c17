"""`python -m jelmore_operator.identity`: files that belong together, and no secret where it does not."""

import json
from pathlib import Path

import pytest

from jelmore_operator.identity import Identity
from jelmore_operator.identity.__main__ import main


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
