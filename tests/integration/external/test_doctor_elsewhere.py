"""What `jelmore doctor` says of servers, files and a port that will not do: each real, each with what to do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from jelmore_local.doctor import checks
from jelmore_local.doctor.finding import Finding
from tests.support.other_servers import OtherPostgres
from tests.support.ports import free_port
from tests.support.processes import wait_for
from tests.support.tls_files import TlsFiles


class Row(NamedTuple):
    """What is to be mended: the finding's name, and words of what is wrong and of what to do."""

    name: str
    detail: str
    remedy: str


@pytest.fixture
def diagnose(tmp_path: Path) -> Callable[..., None]:
    """`diagnose(Row(...), **environment)`: that is the one thing to be mended, and the port is free unless given."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    def diagnosed(row: Row, **environment: str) -> None:
        given = {"HOME": str(tmp_path), "JELMORE_HOME": str(home), "JELMORE_PORT": str(free_port()), **environment}
        found: list[Finding] = [one for one in checks(given, tmp_path) if one["status"] == "bad"]
        assert [one["name"] for one in found] == [row.name], found
        assert row.detail in found[0]["detail"]
        assert row.remedy in found[0]["remedy"]
        assert "hidden" not in str(found)

    return diagnosed


type Diagnose = Callable[..., None]
type Serve = Callable[..., int]


def test_a_nats_that_is_too_old(diagnose: Diagnose, serve: Serve, older_servers: Path, tmp_path: Path) -> None:
    store = ["-js", "-sd", str(tmp_path / "store")]
    port = serve(lambda port: [str(older_servers / "nats-server"), "-a", "127.0.0.1", "-p", str(port), *store])
    row = Row("NATS", "JELMORE_NATS_URL is 2.11.11, but Jelmore needs 2.12 or later", "upgrade it")
    diagnose(row, JELMORE_NATS_URL=f"nats://127.0.0.1:{port}")


def test_a_postgres_that_is_too_old(diagnose: Diagnose, postgres_14: OtherPostgres) -> None:
    with postgres_14.serving(access="host all all all trust") as port:
        row = Row("PostgreSQL", "JELMORE_DATABASE_URL is 14.", "upgrade it; or unset it")
        diagnose(row, JELMORE_DATABASE_URL=f"postgresql://me@localhost:{port}/postgres")


def test_a_redis_that_is_too_old(diagnose: Diagnose, serve: Serve, older_servers: Path, tmp_path: Path) -> None:
    options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    port = serve(lambda port: [str(older_servers / "redis-server"), *options, "--port", str(port)])
    row = Row("Valkey", "JELMORE_REDIS_URL is 6.2.", "upgrade it")
    diagnose(row, JELMORE_REDIS_URL=f"redis://127.0.0.1:{port}/0")


def test_a_password_that_is_wrong(diagnose: Diagnose, postgres_15: OtherPostgres) -> None:
    with postgres_15.serving() as port:
        row = Row("PostgreSQL", "refuses the password", "correct it in JELMORE_DATABASE_URL")
        diagnose(row, JELMORE_DATABASE_URL=f"postgresql://me:hidden@localhost:{port}/postgres")


@pytest.mark.parametrize(
    ("server", "trusted", "row"),
    [
        ("server", "other_ca", Row("NATS", "an authority that is not trusted here", "JELMORE_NATS_CA")),
        ("expired", "ca", Row("NATS", "has a certificate that has expired", "renew it")),
        ("elsewhere", "ca", Row("NATS", "a certificate for another name", "use a name that stands in it")),
    ],
)
def test_a_certificate_that_will_not_do(
    diagnose: Diagnose, serve: Serve, tls_files: TlsFiles, tmp_path: Path, server: str, trusted: str, row: Row
) -> None:
    signed = getattr(tls_files, server)
    tls = ["--tls", "--tlscert", str(signed.certificate), "--tlskey", str(signed.key)]
    command = [str(Path(sys.executable).parent / "nats-server"), "-a", "127.0.0.1", "-js", "-sd", str(tmp_path / "s")]
    port = serve(lambda port: [*command, "-p", str(port), *tls])
    diagnose(row, JELMORE_NATS_URL=f"tls://localhost:{port}", JELMORE_NATS_CA=str(getattr(tls_files, trusted)))


def test_credentials_that_cannot_be_read(diagnose: Diagnose, serve: Serve, tmp_path: Path) -> None:
    """A file that is not there, and one that is none: root may read all else."""
    command = [str(Path(sys.executable).parent / "nats-server"), "-a", "127.0.0.1", "-js", "-sd", str(tmp_path / "s")]
    port = serve(lambda port: [*command, "-p", str(port)])
    for path in (tmp_path / "none.creds", tmp_path):
        row = Row("NATS", f"{path} cannot be read", "correct the path, or its owner and mode")
        diagnose(row, JELMORE_NATS_URL=f"nats://127.0.0.1:{port}", JELMORE_NATS_CREDENTIALS=str(path))


def test_a_port_that_another_program_has(diagnose: Diagnose) -> None:
    port = free_port()
    listen = (
        f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print('on', flush=True); time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"on\n"
        try:
            diagnose(Row("port", f"Port {port} of 127.0.0.1 is in use", "JELMORE_PORT"), JELMORE_PORT=str(port))
        finally:
            other.kill()
    wait_for(lambda: other.poll() is not None)


def test_a_disk_that_is_nearly_full(diagnose: Diagnose, tmp_path: Path) -> None:
    """A file system of its own, in memory, with less room than Jelmore wants."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", small], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a file system")
    try:
        diagnose(Row("disk", "0.0 GiB free", "make room"), JELMORE_HOME=str(small))
    finally:
        subprocess.run(["umount", small], check=True)
