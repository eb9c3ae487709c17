"""What is decided around the servers without starting one."""

import errno
import json
import os
import socket
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from jelmore_api.migrations import alembic_config
from jelmore_local import api_process
from jelmore_local.instance import check_port
from jelmore_local.servers import StartError
from jelmore_local.servers.errors import from_os_error, from_output
from jelmore_local.servers.nats import _check_version, lost_streams
from jelmore_local.servers.ports import Ports, is_free
from jelmore_local.servers.postgres_programs import _may_enter, _unpack

FOLDER, LOG = Path("/data/x"), Path("/data/logs/x.log")


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            'PANIC:  could not write to file "x": No space left on device',
            "The disk that holds /data/x is full: make room",
        ),
        ("could not extend: Disk quota exceeded", "The disk that holds /data/x is full: make room"),
        (
            "postgres: error while loading shared libraries: libicuuc.so.72: cannot open shared object file",
            "X needs the system library libicuuc.so.72, which is not installed: install",
        ),
        (
            'could not open "pg_hba.conf": Permission denied',
            "X may not use its data in /data/x (see /data/logs/x.log):",
        ),
        ("PANIC:  invalid checkpoint record", "X cannot start from its data in /data/x, which may be damaged (see"),
        ("", "X cannot start from its data in /data/x, which may be damaged (see"),
    ],
)
def test_what_a_server_said_when_it_ended(output: str, sentence: str) -> None:
    error = str(from_output(output, "X", FOLDER, LOG))
    assert error.startswith(sentence)
    assert error.endswith(".")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full: make room"),
        (errno.EDQUOT, "is full: make room"),
        (errno.EACCES, "no permission for /data/x/file: give it to the user"),
        (errno.EROFS, "set JELMORE_HOME to a folder on a writable disk"),
        (errno.ENOTDIR, "/data/x/file: Not a directory"),
    ],
)
def test_what_the_system_said(number: int, words: str) -> None:
    error = OSError(number, os.strerror(number), "/data/x/file")
    assert words in str(from_os_error(error, "X", FOLDER))


@pytest.mark.parametrize("version", ["2.12.0", "2.12.0-RC.3", "2.15.1", "3.0.0"])
def test_versions_of_nats_that_do(version: str) -> None:
    _check_version(version)


@pytest.mark.parametrize("version", ["2.11.9", "2.10.26", "1.4.1"])
def test_versions_of_nats_that_do_not(version: str) -> None:
    with pytest.raises(StartError, match=r"needs 2\.12 or later"):
        _check_version(version)


@pytest.mark.parametrize(
    "line",
    [
        '[1] 2026/11/24 00:00:00.000001 [WRN]   Stream metafile "{path}": checksums do not match "a" vs "b"',
        '[1] 2026/11/24 00:00:00.000001 [WRN]   Missing stream metafile for "{path}"',
        '[1] 2026/11/24 00:00:00.000001 [WRN]   Missing stream checksum file "{path}"',
        '[1] 2026/11/24 00:00:00.000001 [WRN]   Error unmarshalling stream metafile "{path}": invalid character',
    ],
)
def test_a_stream_that_could_not_be_loaded(tmp_path: Path, line: str) -> None:
    stream = tmp_path / "streams" / "JELMORE"
    (stream / "msgs").mkdir(parents=True)
    output = f"[1] [INF] Starting\n{line.format(path=stream / 'meta.inf')}\n"
    assert lost_streams(output) == []  # cut off while it was made
    (stream / "msgs" / "1.blk").write_bytes(b"message")
    assert lost_streams(output) == [stream]
    assert lost_streams("[1] [WRN] Filestore [JELMORE] Stream state outdated, will rebuild\n") == []


class TestPorts:
    def test_stay_the_same(self, tmp_path: Path) -> None:
        first = Ports(tmp_path / "ports.json")
        taken = {name: first.take(name) for name in ("a", "b")}
        second = Ports(tmp_path / "ports.json")
        assert {name: second.take(name) for name in ("a", "b")} == taken
        assert taken["a"] != taken["b"]

    def test_one_that_is_in_use_is_replaced(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert not is_free(port)
            (tmp_path / "ports.json").write_text(json.dumps({"a": port}))
            assert Ports(tmp_path / "ports.json").take("a") != port

    @pytest.mark.parametrize("text", ["", "[1]", '{"a": "x"}', "\x00"])
    def test_a_damaged_file_costs_nothing(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "ports.json").write_text(text)
        assert Ports(tmp_path / "ports.json").take("a") > 1023


def test_the_port_of_the_api() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"^Port {port} of 127\.0\.0\.1 is in use .* JELMORE_PORT"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)
    with pytest.raises(StartError, match="JELMORE_HOST"):
        check_port("192.0.2.1", port)  # of a network that is for documentation only (RFC 5737)


def test_unpacking_by_several_at_once(tmp_path: Path) -> None:
    release = tmp_path / "source" / "postgresql-1"
    (release / "bin").mkdir(parents=True)
    (release / "bin" / "postgres").write_text("program")
    with tarfile.open(tmp_path / "postgresql-1.tar.gz", "w:gz") as tar:
        tar.add(release, "postgresql-1")
    place = tmp_path / "place"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: _unpack(tmp_path / "postgresql-1.tar.gz", place, "postgresql-1"), range(8)))
    assert [path.name for path in place.iterdir()] == ["postgresql-1"]
    assert (place / "postgresql-1" / "bin" / "postgres").read_text() == "program"


def test_who_may_enter_a_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    somebody = tmp_path.stat().st_uid + 1
    assert not _may_enter(somebody, closed)
    assert not _may_enter(somebody, closed / "not there yet")
    assert _may_enter(somebody, Path("/usr/bin"))


def test_the_newest_revision_is_alembics_head() -> None:
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert api_process.newest_revision(api_process.VERSIONS) == head


def test_the_newest_of_several_revisions(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('revision: str = "0001"\ndown_revision: str | None = None\n')
    (tmp_path / "two.py").write_text("revision = '0002'\ndown_revision = '0001'\n")
    assert api_process.newest_revision(tmp_path) == "0002"
    (tmp_path / "other.py").write_text("revision = '0003'\ndown_revision = '0001'\n")
    assert api_process.newest_revision(tmp_path) is None  # alembic will say what is wrong
