"""A git server by ssh on loopback: asyncssh, with keys of the test's own and git's own `upload-pack` behind it."""

import asyncio
import os
import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import asyncssh
import pytest

from tests.support.git_server import Repository, make_repository


@dataclass
class SshServer:
    """`key` is let in, and no other. known_hosts: the line that names its host key."""

    root: Path
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    host: str = "127.0.0.1"
    port: int = 0
    known_hosts: str = ""

    def url(self, name: str) -> str:
        return f"ssh://git@{self.host}:{self.port}/{name}"

    def make(self, name: str) -> Repository:
        return make_repository(self.root / name)

    def secret(self, folder: Path) -> Path:
        """A Secret's keys as files, as they must be."""
        folder.mkdir(parents=True)
        (folder / "ssh-privatekey").write_bytes(self.key.export_private_key())
        (folder / "ssh-privatekey").chmod(0o600)
        (folder / "known_hosts").write_text(self.known_hosts)
        return folder


def _login(server: SshServer, connections: list[asyncssh.SSHServerConnection]) -> type[asyncssh.SSHServer]:
    """`connections`: gets all that are made."""

    class Login(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "git" and key.public_data == server.key.public_data

    return Login


async def _upload(process: "asyncssh.SSHServerProcess[bytes]", command: Sequence[str]) -> int:
    """asyncssh's own redirection loses the last words of a program that ends at once."""
    pipe = subprocess.PIPE
    git = await asyncio.to_thread(lambda: subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe))
    assert git.stdin is not None
    assert git.stdout is not None
    assert git.stderr is not None

    async def pass_on(pipe: IO[bytes], writer: "asyncssh.SSHWriter[bytes]") -> None:
        while data := await asyncio.to_thread(os.read, pipe.fileno(), 65_536):
            writer.write(data)
            await writer.drain()

    async def feed(pipe: IO[bytes]) -> None:
        while data := await process.stdin.read(65_536):
            await asyncio.to_thread(os.write, pipe.fileno(), data)

    feeding = asyncio.create_task(feed(git.stdin))
    await asyncio.gather(pass_on(git.stdout, process.stdout), pass_on(git.stderr, process.stderr))
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    with git:
        return await asyncio.to_thread(git.wait)


async def _serve(server: SshServer, ready: threading.Event, leave: asyncio.Event) -> None:
    async def run(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        program, path = shlex.split(process.command or "")
        assert program == "git-upload-pack"
        process.exit(await _upload(process, ("git", "upload-pack", str(server.root / path.lstrip("/")))))

    host_key = asyncssh.generate_private_key("ssh-ed25519")
    connections: list[asyncssh.SSHServerConnection] = []
    listener = await asyncssh.create_server(
        _login(server, connections), server.host, 0, server_host_keys=[host_key], process_factory=run, encoding=None
    )
    server.port = listener.get_port()
    public = host_key.export_public_key().decode().strip()
    server.known_hosts = f"[{server.host}]:{server.port} {public}\n"
    ready.set()
    await leave.wait()
    listener.close()
    for connection in connections:
        connection.abort()  # one whose client has gone without a word would be waited for without end
    await listener.wait_closed()


@contextmanager
def serving_ssh(root: Path, host: str = "127.0.0.1") -> Iterator[SshServer]:
    """In a thread of its own, so that a test may wait as it likes."""
    server, ready, loop, leave = (
        SshServer(root, host=host),
        threading.Event(),
        asyncio.new_event_loop(),
        asyncio.Event(),
    )
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(server, ready, leave)), daemon=True)
    thread.start()
    try:
        assert ready.wait(20)
        yield server
    finally:
        loop.call_soon_threadsafe(leave.set)
        thread.join()
        loop.close()


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """Empty: `make` puts repositories into it."""
    root = tmp_path / "ssh"
    root.mkdir()
    with serving_ssh(root) as server:
        yield server
