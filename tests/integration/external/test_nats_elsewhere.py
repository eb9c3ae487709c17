"""A NATS that is not ours: TLS, every way to log in, and what is said where it does not work."""

import asyncio
import json
import logging
import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nkeys
import pytest

from jelmore_bus import Access, BusClient, Tls
from jelmore_contract.trouble import Trouble
from jelmore_local.bus import BusSetup
from jelmore_local.external import bus_probe
from jelmore_operator.identity import Identity
from tests.support.gate import Gate
from tests.support.own_nats import OwnNats
from tests.support.processes import eventually
from tests.support.tls_files import TlsFiles


@dataclass
class Nats:
    """`start(configuration)` starts one; `ask` is what a start of Jelmore finds."""

    serve: Callable[..., int]
    folder: Path
    program: Path = Path(sysconfig.get_path("scripts")) / "nats-server"
    port: int = 0

    def start(self, configuration: str = "", *, jetstream: bool = True) -> None:
        store = f"jetstream {{ store_dir: {json.dumps(str(self.folder / 'store'))} }}\n" if jetstream else ""
        file = self.folder / "nats.conf"
        file.write_text(f"{store}{configuration}\n")
        self.port = self.serve(lambda port: [str(self.program), "-a", "127.0.0.1", "-p", str(port), "-c", str(file)])

    def tls(self, files: TlsFiles, server: str = "server", *, verify: bool = False) -> str:
        signed = getattr(files, server)
        more = f"ca_file: {json.dumps(str(files.ca))}, verify: true" if verify else ""
        return f'tls {{ cert_file: "{signed.certificate}", key_file: "{signed.key}"\n {more} }}'

    async def ask(self, url: str, *, credentials: str = "", tls: Tls | None = None) -> str | None:
        access = Access(url.format(port=self.port), credentials, tls or Tls())
        trouble: Trouble | None = await bus_probe(BusSetup(access, shared="not looked at")).ask()
        if trouble is not None:
            assert trouble.lasting
        return trouble.text if trouble else None


class Counting(BusClient):
    """Counts the attempts that came to nothing."""

    failures = 0

    async def _failed(self, error: Exception) -> None:
        self.failures += 1
        await super()._failed(error)

    async def failed(self, times: int) -> None:
        """Returns once it has, that many times more."""
        before = self.failures

        async def enough() -> bool:
            return self.failures >= before + times

        await eventually(enough)

    async def well(self) -> bool:
        return self.trouble is None


@pytest.fixture
def nats_elsewhere(serve: Callable[..., int], tmp_path: Path) -> Nats:
    return Nats(serve, tmp_path)


async def test_tls(nats_elsewhere: Nats, tls_files: TlsFiles) -> None:
    nats_elsewhere.start(nats_elsewhere.tls(tls_files))
    trusted = Tls(ca=str(tls_files.ca))
    for scheme in ("nats", "tls"):
        for host in ("localhost", "127.0.0.1"):
            assert await nats_elsewhere.ask(f"{scheme}://{host}:{{port}}", tls=trusted) is None
    for files in (Tls(), Tls(ca=str(tls_files.other_ca))):
        told = await nats_elsewhere.ask("nats://localhost:{port}", tls=files)
        assert told is not None
        assert told.startswith("has a certificate of an authority that is not trusted here: set JELMORE_NATS_CA")


@pytest.mark.parametrize(
    ("server", "told"), [("expired", "has a certificate that has expired"), ("elsewhere", "for another name")]
)
async def test_a_certificate_that_will_not_do(
    nats_elsewhere: Nats, tls_files: TlsFiles, server: str, told: str
) -> None:
    nats_elsewhere.start(nats_elsewhere.tls(tls_files, server))
    assert told in str(await nats_elsewhere.ask("tls://localhost:{port}", tls=Tls(ca=str(tls_files.ca))))


async def test_a_client_certificate(nats_elsewhere: Nats, tls_files: TlsFiles) -> None:
    nats_elsewhere.start(nats_elsewhere.tls(tls_files, verify=True))
    url, ca, client = "tls://localhost:{port}", str(tls_files.ca), tls_files.client
    assert await nats_elsewhere.ask(url, tls=Tls(ca, str(client.certificate), str(client.key))) is None
    assert await nats_elsewhere.ask(url, tls=Tls(ca, str(client.both))) is None
    assert "JELMORE_NATS_CERTIFICATE and" in str(await nats_elsewhere.ask(url, tls=Tls(ca)))
    stranger = tls_files.stranger
    told = str(await nats_elsewhere.ask(url, tls=Tls(ca, str(stranger.both))))
    assert "JELMORE_NATS_CERTIFICATE and JELMORE_NATS_KEY" in told


async def test_nothing_is_said_in_the_clear_where_tls_was_asked_for(nats_elsewhere: Nats) -> None:
    nats_elsewhere.start()
    assert "does not speak TLS" in str(await nats_elsewhere.ask("tls://127.0.0.1:{port}"))


async def test_user_and_password(nats_elsewhere: Nats, tmp_path: Path) -> None:
    nats_elsewhere.start('authorization { user: me, password: "p@ss:w/rd" }')
    assert await nats_elsewhere.ask("nats://me:p%40ss%3Aw%2Frd@127.0.0.1:{port}") is None
    file = tmp_path / "login"
    file.write_text("me:p@ss:w/rd\n")
    assert await nats_elsewhere.ask("nats://127.0.0.1:{port}", credentials=str(file)) is None
    for url in ("nats://me:wrong@127.0.0.1:{port}", "nats://127.0.0.1:{port}"):
        assert "refuses these credentials" in str(await nats_elsewhere.ask(url))


async def test_a_token(nats_elsewhere: Nats, tmp_path: Path) -> None:
    nats_elsewhere.start("authorization { token: sesame }")
    file = tmp_path / "token"
    file.write_text("sesame")
    assert await nats_elsewhere.ask("nats://sesame@127.0.0.1:{port}") is None
    assert await nats_elsewhere.ask("nats://127.0.0.1:{port}", credentials=str(file)) is None
    assert "refuses these credentials" in str(await nats_elsewhere.ask("nats://wrong@127.0.0.1:{port}"))


async def test_an_nkey(nats_elsewhere: Nats, tmp_path: Path) -> None:
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(seed).public_key.decode()
    nats_elsewhere.start(f"authorization {{ users: [{{ nkey: {public} }}] }}")
    file = tmp_path / "seed"
    file.write_text(f"{seed.decode()}\n")
    assert await nats_elsewhere.ask("nats://127.0.0.1:{port}", credentials=str(file)) is None


async def test_a_credentials_file(nats_elsewhere: Nats, tmp_path: Path) -> None:
    identity, other = Identity.generate(), Identity.generate()
    nats_elsewhere.start(identity.server_config())
    file = tmp_path / "core.creds"
    for keys, told in ((identity, None), (other, "refuses these credentials")):
        file.write_text(keys.core_credentials())
        answer = await nats_elsewhere.ask("nats://127.0.0.1:{port}", credentials=str(file))
        assert answer is None if told is None else told in str(answer)


async def test_without_jetstream(nats_elsewhere: Nats) -> None:
    nats_elsewhere.start(jetstream=False)
    assert "has no JetStream" in str(await nats_elsewhere.ask("nats://127.0.0.1:{port}"))


async def test_one_that_is_too_old(nats_elsewhere: Nats, older_servers: Path) -> None:
    nats_elsewhere.program = older_servers / "nats-server"
    nats_elsewhere.start()
    told = str(await nats_elsewhere.ask("nats://127.0.0.1:{port}"))
    assert told == "is 2.11.11, but Jelmore needs 2.12 or later, which has atomic publishing: upgrade it"


async def test_one_that_comes_later_and_goes_away_is_told_of_once(
    own_nats: OwnNats, caplog: pytest.LogCaptureFixture
) -> None:
    """By a gate in front of it, which hangs up while it is shut."""
    caplog.set_level(logging.INFO)
    client = Counting(logging.getLogger("test.bus"))

    def said() -> list[str]:
        return [record.message for record in caplog.records if record.name == "test.bus"]

    async with Gate(own_nats.url) as gate:
        await gate.shut()
        access = Access(gate.url, str(own_nats.folder / "core.creds"))
        opening = asyncio.create_task(client.open(access, name="test", retry=0.01))
        await client.failed(5)
        await gate.open()
        await opening
        connected = said()[-1]
        await gate.shut()
        await client.failed(5)
        await gate.open()
        await eventually(client.well)
        await client.close()
    assert connected.startswith("connected to NATS 2.")
    refused = "NATS refuses connections: start it, or correct its address"
    lost = "NATS closed the connection: trying again until it is back"
    assert said() == [refused, connected, lost, refused, connected]


async def test_users_of_its_own_and_none_for_sessions(nats_elsewhere: Nats) -> None:
    nats_elsewhere.start("authorization { user: me, password: secret }")
    trouble = await bus_probe(BusSetup(Access(f"nats://me:secret@127.0.0.1:{nats_elsewhere.port}"))).ask()
    assert trouble is not None
    assert "JELMORE_NATS_IDENTITY" in trouble.text
    assert "JELMORE_NATS_SHARED_CREDENTIALS" in trouble.text
