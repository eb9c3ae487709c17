"""A session's folder on this machine, and the record of what runs of it, which is how a new supervisor
finds the old one's processes.
"""

import contextlib
import os
import secrets
import shutil
from datetime import datetime
from pathlib import Path

import msgspec

from jelmore_operator.process.processes import Identity
from jelmore_operator.secret_files import write_secret

#: Bytes of a log, beyond which its older part is moved aside (and what was there before is dropped).
MOST_LOG = 1 << 20
#: What stays of a session whose workspace is kept: should it be restored, it is not cloned over.
_KEPT = ("workspace", "cloned")


class Record(msgspec.Struct, omit_defaults=True):
    """boot: the kernel's id of this boot, without which process numbers mean nothing. See
    `observed.Runtime` for the rest.
    """

    boot: str
    namespace: str
    launcher: Identity | None = None
    agent: Identity | None = None
    agent_config: str = ""  # digest of what the agent was started with
    report_seq: int = 0
    run_before: int = 0
    stopping_since: datetime | None = None
    starts: list[datetime] = []


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Folder:
    """`$JELMORE_HOME/sessions/<session id>`: mode 0700. `spool` is the agent's own;
    `claude`, `tmp` and `workspace` are the CLI's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.workspace = path / "workspace"
        self.claude = path / "claude"
        self.tmp = path / "tmp"
        self.spool = path / "spool"
        self.logs = path / "logs"
        self.agent_config = path / "agent.json"
        self.socket = path / "agent.sock"
        self.nonce = path / "nonce"
        self.nats_credentials = path / "nats.creds"
        self.launcher_pid = path / "launcher.pid"
        self.launcher_log = self.logs / "launcher.log"
        self.agent_log = self.logs / "agent.log"
        self.clone_log = self.logs / "clone.log"
        self.clone_record = path / "clone.json"
        self.clone_failure = path / "clone.failed"
        self._record = path / "runtime.json"

    def create(self) -> None:
        """Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.path, self.workspace, self.claude, self.tmp, self.spool, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)

    def new_nonce(self) -> None:
        write_secret(self.nonce, secrets.token_hex(16))

    @property
    def cloned(self) -> bool:
        """Whether the workspace is what was to be cloned: see `jelmore_agent.clone.place`."""
        return (self.path / "cloned").exists() and not (self.path / "clone").exists()

    @property
    def spooled(self) -> bool:
        """Whether a CLI or an agent has left anything here that is to be in the log."""
        return any(path.stat().st_size for path in self.spool.glob("run-*"))

    def read_record(self) -> Record | None:
        """None where there is none, or one that a crash left unreadable: both mean that nothing is known to
        run.
        """
        try:
            record = msgspec.json.decode(self._record.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None
        return record if record.boot == boot_id() else msgspec.structs.replace(record, launcher=None, agent=None)

    def write_record(self, record: Record) -> None:
        """In one step: read after a crash, it is the old or the new one. Raises OSError."""
        scratch = self._record.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode(record))
        scratch.rename(self._record)

    def launcher_identity(self) -> Identity | None:
        """What a launcher itself has written, before anybody could record it."""
        try:
            pid, started = self.launcher_pid.read_text().split()
            return Identity(int(pid), int(started))
        except (OSError, ValueError):
            return None

    def tidy(self) -> None:
        """Removes what only a runtime needs."""
        for path in (self.socket, self.nonce, self.nats_credentials, self.launcher_pid):
            path.unlink(missing_ok=True)

    def bound_logs(self) -> None:
        for log in (self.launcher_log, self.agent_log, self.clone_log):
            with contextlib.suppress(FileNotFoundError):
                if log.stat().st_size > MOST_LOG:
                    # Copied and cut rather than renamed: whoever writes it has it open for appending.
                    shutil.copyfile(log, log.with_suffix(".log.1"))
                    os.truncate(log, 0)

    def remove(self, keep_workspace: bool) -> None:
        """The folder and all in it; links in it are removed, not followed. Raises OSError."""
        if not self.path.exists():
            return
        if not keep_workspace:
            shutil.rmtree(self.path)
            return
        for path in self.path.iterdir():
            if path.name in _KEPT:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
