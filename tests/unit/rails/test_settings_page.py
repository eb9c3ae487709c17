"""docs/settings.md says of every setting what the code says: no name is missing or too many, defaults are right."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jelmore.config import find_target
from jelmore_api.migrations.__main__ import _Settings as MigrationSettings
from jelmore_api.settings import Settings
from jelmore_local.bus import _SETTINGS as BUS_SETTINGS
from jelmore_local.settings import parse_settings
from jelmore_operator.kube.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]


def tables() -> list[dict[str, str]]:
    """Each table of the page: name to default, as text."""
    found: list[dict[str, str]] = []
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if line.startswith("| name |"):
            found.append({})
        elif row := re.fullmatch(r"\| `([A-Z_]+)` \| (?:([^|]*) )?\|.*\|", line):
            found[-1][row[1]] = (row[2] or "").strip("`")
    return found


MACHINE, UP, CLUSTER, MIGRATIONS, OPERATOR, CLIENT = tables()


class Recording(dict[str, str]):
    """Notes what it is asked for."""

    def __init__(self, values: Mapping[str, str] = {}) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def test_the_apis_settings() -> None:
    said = MACHINE | CLUSTER
    code = {"KUBECONFIG" if name == "kubeconfig" else f"JELMORE_{name.upper()}": field
            for name, field in Settings.model_fields.items()}  # fmt: skip
    assert said.keys() == code.keys()
    for name, field in code.items():
        default = field.get_default(call_default_factory=True)
        assert as_text(default) == said[name], name


def as_text(default: object) -> str:
    match default:
        case None | ():
            return ""
        case SecretStr():
            return default.get_secret_value()
        case tuple():
            return ":".join(map(as_text, default))
        case Path():
            return str(default).replace(str(Path.home()), "~")
    return str(default)


def test_what_up_alone_takes(tmp_path: Path) -> None:
    assert {f"JELMORE_NATS_{name}" for name in BUS_SETTINGS} == {
        name for name in MACHINE | UP if name.startswith("JELMORE_NATS_")
    }
    bare = parse_settings({})
    assert parse_settings({name: MACHINE[name] for name in ("JELMORE_HOST", "JELMORE_PORT")}).port == bare.port
    assert bare.home == Path(MACHINE["JELMORE_HOME"]).expanduser()


def test_the_migrations_settings() -> None:
    wait = MigrationSettings.model_fields["migrations_wait"].default
    assert {"JELMORE_MIGRATIONS_WAIT": f"{wait:g}"} == MIGRATIONS


@pytest.fixture
def least(tmp_path: Path) -> dict[str, str]:
    login = tmp_path / "login"
    login.write_text("me:password")
    return {
        "JELMORE_NAMESPACE": "n",
        "JELMORE_NATS_URL": "nats://n",
        "JELMORE_NATS_CREDENTIALS": str(login),
        "JELMORE_NATS_SHARED_CREDENTIALS": str(login),
        "JELMORE_SESSION_IMAGE": "i",
    }


def test_the_operators_settings(least: dict[str, str]) -> None:
    recording = Recording(least)
    settings = read_settings(recording)
    assert recording.asked == OPERATOR.keys()
    for name, default in OPERATOR.items():
        if default and " " not in default:
            assert read_settings(least | {name: default}) == settings, name


def test_the_clients_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recording = Recording({"HOME": str(tmp_path), "JELMORE_HOME": str(tmp_path)})
    find_target(None, recording)
    assert recording.asked >= {"JELMORE_URL", "JELMORE_TOKEN"}
    assert {name for name in recording.asked | set(recording) if name.startswith("JELMORE_")} == CLIENT.keys()
