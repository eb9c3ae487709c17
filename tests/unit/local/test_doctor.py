"""What `jelmore doctor` finds on a broken machine."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from jelmore_local.doctor import checks, machine, programs
from jelmore_local.doctor.finding import Finding
from jelmore_local.instance import only_instance
from tests.support.ports import free_port


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def find(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    """The findings by name, with more of the environment as given."""

    def finding(**more: str) -> dict[str, Finding]:
        environment = {"HOME": str(home.parent), "JELMORE_HOME": str(home), "JELMORE_PORT": str(free_port())}
        return {one["name"]: one for one in checks({**environment, **more}, home.parent)}

    monkeypatch.setattr(programs, "version_of", lambda *_: "1.2.3")
    monkeypatch.setattr(machine, "version_of", lambda *_: "1.2.3")
    monkeypatch.setattr("jelmore_local.doctor.services.version_of", lambda *_: "1.2.3")
    return finding


type Find = Callable[..., dict[str, Finding]]


def bad(findings: dict[str, Finding]) -> dict[str, Finding]:
    return {name: one for name, one in findings.items() if one["status"] == "bad"}


def test_a_machine_that_has_all(find: Find) -> None:
    found = find(ANTHROPIC_API_KEY="sk-very-secret")
    assert bad(found) == {}
    assert found.keys() >= {
        *("python", "claude", "git", "credentials", "NATS", "PostgreSQL", "Valkey"),
        *("data folder", "disk", "running", "port", "inotify", "open files"),
    }
    assert found["credentials"]["detail"] == "for Claude, by ANTHROPIC_API_KEY"
    assert "sk-very-secret" not in str(found)


def test_no_credentials_are_worth_knowing_and_not_a_fault(find: Find) -> None:
    one = find()["credentials"]
    assert one["status"] == "note"
    assert "demo" in one["detail"]
    assert "ANTHROPIC_API_KEY" in one["remedy"]


def test_a_port_that_is_taken(find: Find) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        one = find(JELMORE_PORT=str(taken))["port"]
    assert one["status"] == "bad"
    assert one["detail"] == f"Port {taken} of 127.0.0.1 is in use by another program"
    assert "JELMORE_PORT" in one["remedy"]


def test_while_it_runs_its_port_is_its_own(find: Find, home: Path) -> None:
    with only_instance(home):
        found = find()
    assert found["running"]["detail"] == f"`jelmore up` runs on {home} (process {os.getpid()})"
    assert "port" not in found
    assert "no `jelmore up`" in find()["running"]["detail"]


def test_a_folder_that_others_may_look_into(find: Find, home: Path) -> None:
    home.chmod(0o755)
    assert bad(find())["data folder"]["remedy"].startswith(f"chmod 700 {home}")


def test_a_folder_without_rights(find: Find, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may everything: the system's answer is stood in for.
    monkeypatch.setattr(os, "access", lambda path, _: path != home)
    one = bad(find())["data folder"]
    assert one["detail"] == f"no permission for {home}"
    assert "JELMORE_HOME" in one["remedy"]


def test_a_folder_that_is_none(find: Find, home: Path) -> None:
    home.rmdir()
    home.write_text("")
    assert "no folder" in bad(find())["data folder"]["detail"]


class _Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(("free", "status"), [(10 << 30, "ok"), (1 << 30, "note"), (1 << 20, "bad")])
def test_disk(find: Find, free: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free))
    assert find()["disk"]["status"] == status


@pytest.mark.parametrize(("watches", "status"), [("100", "note"), ("100000", "ok")])
def test_inotify(find: Find, tmp_path: Path, watches: str, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max_user_watches").write_text(watches)
    (tmp_path / "max_user_instances").write_text("1")
    monkeypatch.setattr(machine, "_INOTIFY", tmp_path)
    found = list(machine.inotify(None))  # type: ignore[arg-type]  # it looks at no settings
    assert [one["status"] for one in found] == [status, "note"]
    monkeypatch.setattr(machine, "_INOTIFY", tmp_path / "none")
    assert find()["inotify"]["status"] == "note"


def test_programs_that_are_not_there(find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "version_of", lambda *_: None)
    monkeypatch.setattr(machine, "version_of", lambda *_: None)
    assert bad(find()).keys() == {"claude", "git"}


def test_servers_of_ones_own_that_do_not_answer(find: Find) -> None:
    closed = free_port()
    found = bad(
        find(
            JELMORE_NATS_URL=f"nats://127.0.0.1:{closed}",
            JELMORE_DATABASE_URL=f"postgresql://me:hidden-password@127.0.0.1:{closed}/x",
            JELMORE_REDIS_URL=f"redis://:hidden-password@127.0.0.1:{closed}/0",
        )
    )
    assert found.keys() == {"NATS", "PostgreSQL", "Valkey"}
    for variable, one in zip(("NATS", "DATABASE", "REDIS"), found.values(), strict=True):
        assert f"JELMORE_{variable}_URL" in one["detail"] + one["remedy"]
    assert "hidden-password" not in str(found)


def test_settings_that_are_wrong(find: Find) -> None:
    [one] = find(JELMORE_PORT="x").values()
    assert (one["name"], one["status"]) == ("settings", "bad")
    assert one["remedy"] == "set it to a number from 1 to 65535"


def test_versions_are_read_from_what_a_program_says(tmp_path: Path) -> None:
    assert programs.version_of("git", "--version")
    assert programs.version_of(str(tmp_path / "none")) is None
    assert programs.version_of("false") is None
