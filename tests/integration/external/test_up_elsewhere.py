"""`jelmore up` with all three servers elsewhere, by TLS and with passwords: a session works, and no secret gets out."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from jelmore_bus import Access, BusClient, Tls
from jelmore_contract.subjects import BUCKET, SessionKey, status_key
from jelmore_operator.identity import Identity
from tests.support.other_servers import OtherPostgres, libraries
from tests.support.processes import arguments_of, processes_of, wait_for
from tests.support.tls_files import TlsFiles
from tests.support.up import Up

_REDIS_PASSWORD = "redis-hidden"
_NATS_PASSWORD = "nats-hidden"
_SECRETS = (_REDIS_PASSWORD, _NATS_PASSWORD, OtherPostgres.password, quote(OtherPostgres.password, safe=""))


@dataclass
class Elsewhere:
    """`settings`: without those that say how sessions log in to NATS."""

    start_nats: Callable[[str], int]
    tls_files: TlsFiles
    settings: dict[str, str]

    def nats(self, users: str) -> str:
        """Starts one with these users. Its address."""
        server = self.tls_files.server
        tls = f'tls {{ cert_file: "{server.certificate}", key_file: "{server.key}" }}'
        return f"localhost:{self.start_nats(f'{users}\n{tls}\n')}"


@pytest.fixture
def elsewhere(
    serve: Callable[..., int], debian: Path, postgres_15: OtherPostgres, tls_files: TlsFiles, tmp_path: Path
) -> Iterator[Elsewhere]:
    server, ca = tls_files.server, tls_files.ca

    def redis(port: int) -> list[str]:
        files = ["--tls-cert-file", str(server.certificate), "--tls-key-file", str(server.key)]
        ports = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(ca)]
        program = str(debian / "usr/bin/redis-server")
        return [program, "--bind", "127.0.0.1", "--save", "", *ports, *files, "--requirepass", _REDIS_PASSWORD]

    def nats(configuration: str) -> int:
        file = tmp_path / "nats.conf"
        store = tmp_path / "nats-store"
        file.write_text(f'jetstream {{ store_dir: "{store}", sync_interval: always }}\n{configuration}')
        program = Path(sys.executable).with_name("nats-server")
        return serve(lambda port: [str(program), "-a", "127.0.0.1", "-p", str(port), "-c", str(file)])

    redis_port = serve(redis, env=libraries(debian), cwd=tmp_path)
    password = quote(OtherPostgres.password, safe="")
    with postgres_15.serving(
        "ssl=on", access="hostssl all all all scram-sha-256", ssl_cert_file=server.certificate, ssl_key_file=server.key
    ) as port:
        database = f"postgresql://me:{password}@localhost:{port}/postgres"
        settings = {
            "JELMORE_NATS_CA": str(ca),
            "JELMORE_DATABASE_URL": f"{database}?sslmode=verify-full&sslrootcert={ca}",
            "JELMORE_REDIS_URL": f"rediss://:{_REDIS_PASSWORD}@localhost:{redis_port}/0?ssl_ca_certs={ca}",
        }
        yield Elsewhere(nats, tls_files, settings)


def a_session(up: Up) -> dict[str, Any]:
    """One whose first turn is over."""
    session = up.call("POST", "/api/v1/session", {"query": "Hello"})["id"]
    found: dict[str, Any] = {}

    def idle() -> bool:
        found.update(up.call("GET", f"/api/v1/session/{session}"))
        return bool(found["status"] == "idle")

    wait_for(idle, 60)
    return found


async def bus_identity(up: Up, session: dict[str, Any]) -> str:
    """The condition, as the resource has it."""
    told = up.endpoints()["nats"]
    client = BusClient(logging.getLogger(__name__))
    await client.open(Access(told["url"], told.get("credentials", ""), Tls(ca=told["ca"])), name="test", retry=0.1)
    bucket = await client.jetstream().key_value(BUCKET)
    status = json.loads((await bucket.get(status_key(SessionKey("default", session["id"])))).value or b"")
    await client.close()
    return str(next(one["status"] for one in status["conditions"] if one["type"] == "BusIdentity"))


def check_no_secret_got_out(up: Up) -> None:
    assert up.process is not None
    out = "".join(arguments_of(pid) for pid in processes_of(up.home))
    out += str(up.call("GET", "/readyz"))
    for file in (
        *(up.home / "logs").iterdir(),
        *up.home.glob("sessions/*/agent.json"),
        *up.home.glob("sessions/*/logs/*"),
    ):
        out += file.read_text()
    assert [secret for secret in _SECRETS if secret in out] == []
    assert (up.home / "endpoints.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.real_cli
async def test_each_session_a_user_of_its_own(up: Up, elsewhere: Elsewhere, tmp_path: Path) -> None:
    identity = Identity.generate()
    identity.save(tmp_path / "nats-keys.json")
    up.extra = elsewhere.settings | {
        "JELMORE_NATS_URL": f"tls://{elsewhere.nats(identity.server_config())}",
        "JELMORE_NATS_IDENTITY": str(tmp_path / "nats-keys.json"),
    }
    up.start()
    assert up.answers()
    assert await bus_identity(up, a_session(up)) == "True"
    told = up.endpoints()["nats"]
    assert told["ca"] == str(elsewhere.tls_files.ca)
    assert Path(told["credentials"]).stat().st_mode & 0o777 == 0o600
    check_no_secret_got_out(up)
    assert up.stop()[0] == 0


@pytest.mark.real_cli
async def test_one_user_for_all_sessions(up: Up, elsewhere: Elsewhere, tmp_path: Path) -> None:
    address = elsewhere.nats(f"authorization {{ user: me, password: {_NATS_PASSWORD} }}")
    up.extra = elsewhere.settings | {"JELMORE_NATS_URL": f"nats://me:{_NATS_PASSWORD}@{address}"}
    up.spawn()
    code, _, err = up.end()
    assert code == 1
    assert err.startswith("NATS (JELMORE_NATS_URL) has users of its own, and sessions need one each")
    shared = tmp_path / "shared"
    shared.write_text(f"me:{_NATS_PASSWORD}\n")
    up.extra = {**up.extra, "JELMORE_NATS_SHARED_CREDENTIALS": str(shared)}
    up.start()
    assert up.answers()
    assert await bus_identity(up, a_session(up)) == "False"
    check_no_secret_got_out(up)
    assert up.stop()[0] == 0
