"""A NATS server of a test worker's own, with Jelmore's accounts and stream, for tests of the parts that use the bus."""

import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from jelmore_contract.subjects import STREAM, STREAM_SUBJECTS
from jelmore_operator.identity import Identity
from tests.support.ports import free_port


@dataclass
class OwnNats:
    folder: Path
    port: int
    identity: Identity
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Also again, on the same port and store."""
        binary = Path(sysconfig.get_path("scripts")) / "nats-server"
        with (self.folder / "nats.log").open("ab") as log:
            argv = [str(binary), "-c", str(self.folder / "nats.conf")]
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError(f"no NATS: {(self.folder / 'nats.log').read_text()[-500:]}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def connect(self) -> Client:
        client = await nats.connect(
            self.url,
            user_credentials=str(self.folder / "core.creds"),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
        )
        await client.jetstream().add_stream(
            StreamConfig(
                name=STREAM,
                subjects=list(STREAM_SUBJECTS),
                allow_direct=True,
                allow_atomic=True,
                discard=DiscardPolicy.NEW,
                storage=StorageType.FILE,
                max_consumers=1_000_000,
            )
        )
        return client


def new_nats(folder: Path) -> OwnNats:
    """Not started yet."""
    server = OwnNats(folder, free_port(), Identity.generate())
    (folder / "core.creds").write_text(server.identity.core_credentials())
    (folder / "nats.conf").write_text(
        f"listen: 127.0.0.1:{server.port}\n{server.identity.server_config()}\n"
        f'jetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n'
    )
    return server


@pytest.fixture(scope="session")
def own_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnNats]:
    server = new_nats(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()
