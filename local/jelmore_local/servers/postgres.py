"""PostgreSQL, in $JELMORE_HOME/postgres/data.

It refuses to run as root. Started by root it runs as the user `nobody`, to whom its folder then belongs, or as whoever
owns data that is there already. That user need not be able to reach the folder by its path, which may lie below a home
that is closed to others: the process is put into the folder first and finds it as /proc/self/cwd (it never leaves it).
"""

import os
import pwd
import shutil
import signal
import struct
from pathlib import Path

from jelmore_local.servers.child import Child, Command, EndedError, Owner
from jelmore_local.servers.errors import StartError
from jelmore_local.servers.passwords import password, password_file
from jelmore_local.servers.ports import LOOPBACK
from jelmore_local.servers.postgres_programs import programs, programs_version
from jelmore_local.servers.server import Server
from jelmore_operator.secret_files import write_secret

USER = "jelmore"
DATABASE = "postgres"
_HERE = "/proc/self/cwd"
_UNPRIVILEGED = "nobody"
_STARTUP_PROTOCOL = 3 << 16
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    # No replicas: less is written.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Fewer processes: parallel plans and readers in the background do not pay on one machine.
    "io_method": "sync",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
    # What sessions said must not get into the log with a statement that failed.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_checkpoints": "off",
}


class Postgres(Server):
    name = "PostgreSQL"
    key = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._password()}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def prepare(self) -> None:
        if not self.data.exists():
            await self._make_data()
        self._check_data()

    def command(self) -> Command:
        self._drop_stale_pid_file()
        settings = {**_SETTINGS, "port": str(self.port)}
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._command("postgres", arguments, self.data)

    async def answers(self) -> bool:
        """It asks for a password once it takes connections; until then it answers with an error."""
        parameters = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        async with self.connected() as (reader, writer):
            writer.write(struct.pack("!ii", len(parameters) + 8, _STARTUP_PROTOCOL) + parameters)
            return await reader.readexactly(1) == b"R"

    async def _make_data(self) -> None:
        """Makes a data folder, which gets its name last: one that was cut off in the making is made again."""
        fresh = self.folder / "data.new"
        password_file = self.folder / "password"
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir(mode=0o700)
        write_secret(password_file, self._password())
        owner = self._owner()
        for path in (self.folder, fresh, password_file):
            os.chown(path, owner.uid, owner.gid)
        options = [f"--username={USER}", "--pwfile=../password", "--auth=scram-sha-256", "--encoding=UTF8"]
        options += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
        child = await Child.start(self._command("initdb", options, fresh))
        try:
            if await child.wait() != 0:
                raise EndedError(child.output())
        finally:
            await child.kill()
            password_file.unlink(missing_ok=True)
        fresh.rename(self.data)

    def _check_data(self) -> None:
        """Raises StartError for what PostgreSQL itself would refuse with less helpful words."""
        remedy = "restore it from a backup, or move it away to begin with an empty database."
        version = self.data / "PG_VERSION"
        major = version.read_text().strip() if version.is_file() else None
        if not major:
            raise StartError(f"{self.data} is damaged ({version.name} is missing or empty): {remedy}")
        if major != programs_version():
            raise StartError(
                f"{self.data} was made by PostgreSQL {major}, this is {programs_version()}:"
                f" upgrade it with pg_upgrade, or {remedy}"
            )
        if not password_file(self.home, self.key).exists():
            raise StartError(
                f"{password_file(self.home, self.key)} is missing, without which {self.data} cannot be opened: {remedy}"
            )

    def _owner(self) -> Owner:
        """Who to run as."""
        if os.getuid() != 0:
            return Owner()
        for folder in (self.data, self.folder):
            if folder.exists() and (found := folder.stat()).st_uid != 0:
                return Owner(found.st_uid, found.st_gid)
        user = pwd.getpwnam(_UNPRIVILEGED)
        return Owner(user.pw_uid, user.pw_gid)

    def _command(self, program: str, arguments: list[str], folder: Path) -> Command:
        owner = self._owner()
        return Command(
            name=self.name,
            argv=[str(programs(owner.uid) / program), "-D", _HERE, *arguments],
            folder=folder,
            log=self.log,
            lock=self.lock,
            end_signal=signal.SIGINT,  # "fast": SIGTERM would wait for clients
            owner=owner,
        )

    def _drop_stale_pid_file(self) -> None:
        """After a crash its pid may be another program's, for which PostgreSQL would then refuse to start.

        None that we started lives (the lock says so); one that somebody else started on this folder works in it.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
            if Path(f"/proc/{pid}/cwd").resolve() == self.data.resolve():
                return
        except (FileNotFoundError, PermissionError, ValueError, IndexError):
            pass
        pid_file.unlink(missing_ok=True)

    def _password(self) -> str:
        return password(self.home, self.key)
