"""A session's folder: who may look, what is remembered, what is bounded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jelmore_operator.process.folder import MOST_LOG, Folder, Record, boot_id
from jelmore_operator.process.processes import Identity

RECORD = Record(
    boot_id(),
    "team-a",
    launcher=Identity(2, 3),
    agent=Identity(4, 5),
    report_seq=7,
    stopping_since=datetime(2026, 1, 1, tzinfo=UTC),
    starts=[datetime(2026, 1, 1, tzinfo=UTC)],
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "sessions" / "s")
    made.create()
    return made


def test_only_the_owner_may_look(folder: Folder) -> None:
    for path in (folder.path.parent, folder.path, folder.workspace, folder.claude, folder.spool, folder.logs):
        assert path.stat().st_mode & 0o777 == 0o700
    folder.new_nonce()
    assert folder.nonce.stat().st_mode & 0o777 == 0o600


def test_a_record_comes_back(folder: Folder) -> None:
    assert folder.read_record() is None
    folder.write_record(RECORD)
    assert folder.read_record() == RECORD


def test_processes_of_another_boot_are_none(folder: Folder) -> None:
    folder.write_record(Record("another", "team-a", launcher=Identity(2, 3), agent=Identity(4, 5), report_seq=7))
    assert folder.read_record() == Record("another", "team-a", report_seq=7)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}'])
def test_a_damaged_record_is_none(folder: Folder, text: str) -> None:
    (folder.path / "runtime.json").write_text(text)
    assert folder.read_record() is None


@pytest.mark.parametrize(("text", "identity"), [("12 34\n", Identity(12, 34)), ("12", None), ("", None), ("a b", None)])
def test_what_the_launcher_wrote(folder: Folder, text: str, identity: Identity | None) -> None:
    folder.launcher_pid.write_text(text)
    assert folder.launcher_identity() == identity


def test_spooled(folder: Folder, tmp_path: Path) -> None:
    assert not Folder(tmp_path / "none").spooled
    (folder.spool / "lock").write_text("x")
    (folder.spool / "run-1.jsonl").touch()
    assert not folder.spooled
    (folder.spool / "run-1.facts").write_text("x")
    assert folder.spooled


def test_a_log_is_bounded_while_it_is_written(folder: Folder) -> None:
    with folder.agent_log.open("ab") as log:
        log.write(b"old" * MOST_LOG)
        log.flush()
        folder.bound_logs()
        log.write(b"new")
    assert folder.agent_log.read_bytes() == b"new"
    assert (folder.logs / "agent.log.1").read_bytes().startswith(b"old")


def test_removing_follows_no_link(folder: Folder, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    (folder.workspace / "link").symlink_to(mine)
    folder.remove(keep_workspace=False)
    folder.remove(keep_workspace=False)
    assert not folder.path.exists()
    assert (mine / "file").exists()
