"""A session as in its pod, on this machine, as root: launcher and agent as two users of one group, each in a stand-in
for its container, with the folders as the pod mounts them.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jelmore_contract.agent_config import AgentConfig
from tests.perf import processes
from tests.support.container import Container, contained
from tests.support.launcher import LAUNCHER
from tests.support.own_nats import OwnNats
from tests.support.session_rig import Rig, claude_binary

CLAUDE, AGENT = 61_000, 61_001  # uids; Claude's is the gid of both
#: Given to the CLI, and to be seen by nothing that it runs.
TOKEN = "canary-of-the-oauth-token"
_CHECKOUT = Path(__file__).parents[2]


@dataclass
class PodRig(Rig):
    """`naive`: the arrangement that does not hold: one user, no containers, a CLI that can be read."""

    naive: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.run, self.home, self.secret, self.tmp = (self.folder / name for name in ("run", "home", "secret", "tmp"))
        for folder in (self.spool, self.run, self.home, self.secret, self.tmp):
            folder.mkdir()
        if self.naive:
            self._own(self.folder, CLAUDE, 0o2770)
        self._own(self.spool, 0, 0o2770)  # as the kubelet makes a subPath
        self._own(self.run, 0, 0o2777)  # as the kubelet leaves an emptyDir to a group
        self._own(self.workspace, CLAUDE, 0o2770)
        self._own(self.home, CLAUDE, 0o2770)
        self._own(self.tmp, 0, 0o2777)
        for name in ("nonce", "nats.creds"):
            (self.folder / name).rename(self.secret / name)
            self._own(self.secret / name, 0, 0o440)

    @property
    def agent_uid(self) -> int:
        return CLAUDE if self.naive else AGENT

    def _own(self, path: Path, uid: int, mode: int) -> None:
        os.chown(path, uid, CLAUDE)
        path.chmod(mode)

    def config(self) -> AgentConfig:
        return msgspec.structs.replace(
            super().config(),
            socket=str(self.run / "agent.sock"),
            socket_mode=0o660,
            nonce_file=str(self.secret / "nonce"),
            nats_credentials=str(self.secret / "nats.creds"),
            claude_config_dir=str(self.home / ".claude"),
            claude_tmp=str(self.tmp),
        )

    def start_agent(self, *options: str) -> None:
        config = self.secret / "agent.json"
        config.write_bytes(msgspec.json.encode(self.config()))
        read_only = [] if self.naive else [self.workspace, self.home, self.secret]
        argv = [sys.executable, "-I", "-m", "jelmore_agent.parent", str(config)]
        self.agent = self._spawn(self._contained(self.agent_uid, [], read_only, argv), "agent.log", {})

    def start_launcher(self) -> None:
        hidden, read_only = ([], []) if self.naive else ([self.spool, self.secret], [self.run])
        argv = [sys.executable, "-I", "-S", str(LAUNCHER), "--socket", str(self.run / "agent.sock"), "--grace", "15"]
        env = {
            "ANTHROPIC_BASE_URL": self.model_url,
            "CLAUDE_CODE_OAUTH_TOKEN": TOKEN,
            "HOME": str(self.home),
            "JELMORE_NONCE": (self.secret / "nonce").read_text(),
        }
        self.launcher = self._spawn(self._contained(CLAUDE, hidden, read_only, argv), "launcher.log", env)

    def _contained(self, uid: int, hidden: list[Path], read_only: list[Path], argv: list[str]) -> list[str]:
        shown = [sys.base_prefix, sys.prefix, str(_CHECKOUT)]
        container = Container(uid, CLAUDE, [*map(str, hidden)], [*map(str, read_only)], shown, own_pids=not self.naive)
        return contained(container, argv)


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skips tests that need namespaces of their own where this user may not make any."""
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True)
    if tried.returncode != 0:
        pytest.skip("making namespaces, as containers have them, is not permitted here: run the tests as root")


@pytest.fixture(scope="session")
def unreadable_cli() -> Iterator[str]:
    """The CLI as the image has it: root's, to be executed and not to be read."""
    with tempfile.TemporaryDirectory(prefix="jelmore-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "claude"
        subprocess.run(["cp", "--reflink=auto", claude_binary(), path], check=True)
        path.chmod(0o711)
        yield str(path)


type MakePodRig = Callable[..., Awaitable[PodRig]]


@pytest.fixture
async def make_pod_rig(
    namespaces: None, own_nats: OwnNats, demo_model: str, unreadable_cli: str
) -> AsyncIterator[MakePodRig]:
    """Starts a session; everything is gone at the end of the test. Below a folder that other users may pass."""
    client = await own_nats.connect()
    base = Path(tempfile.mkdtemp(prefix="jelmore-"))
    base.chmod(0o711)
    rigs: list[PodRig] = []

    async def make(**options: Any) -> PodRig:
        given = {"nats_url": own_nats.url, "model_url": demo_model, "claude": unreadable_cli} | options
        folder = base / f"s{len(rigs)}"
        folder.mkdir(mode=0o711)
        rig = PodRig(folder, identity=own_nats.identity, client=client, **given)
        rigs.append(rig)
        await rig.start()
        return rig

    yield make
    for rig in rigs:
        # The first process of a PID namespace has changed its user, which undoes --kill-child: it is ended by itself.
        alive = [each.pid for each in (rig.agent, rig.launcher) if each is not None and each.poll() is None]
        inside = {pid for process in alive for pid in processes.descendants(process)}
        await rig.kill_all()
        for pid in inside:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    await client.close()
    await asyncio.to_thread(shutil.rmtree, base)
