"""The clone of one session's repository, as a process: started, found again by the next supervisor, and ended."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from jelmore_contract.resource import ClaudeSession, Git
from jelmore_operator.process.environment import for_clone
from jelmore_operator.process.folder import Folder, boot_id
from jelmore_operator.process.processes import Identity, Process, spawn
from jelmore_operator.process.settings import SupervisorSettings
from jelmore_operator.reconcile.backoff import WINDOW
from jelmore_operator.reconcile.observed import Clone, SeenInput


class _Record(msgspec.Struct):
    """boot: see `folder.Record`. arguments: digest of what is cloned. asked: what had asked for it."""

    boot: str
    process: Identity
    arguments: str
    asked: str
    starts: list[datetime]


class Cloning:
    """`on_exit` is called after its end. What it has come to is read from the session's folder alone."""

    def __init__(self, folder: Folder, settings: SupervisorSettings, on_exit: Callable[[], None]) -> None:
        self._folder = folder
        self._settings = settings
        self._on_exit = on_exit
        self._process: Process | None = None
        self._known = self._read()
        if self._known is not None and self._known.boot == boot_id():
            self._process = Process.attach(self._known.process, on_exit)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.alive

    def observe(self, resource: ClaudeSession, last_input: SeenInput | None) -> Clone | None:
        """None where there is nothing to clone, or it is done."""
        git = resource.spec.workspace.git
        if git is None or self._folder.cloned:
            return None
        known, logs = self._known, str(self._folder.clone_log)
        if known is None:
            return Clone(logs=logs)
        same = known.arguments == _digest(self._arguments(git))
        running = self.running and same  # of what is not wanted any more, another takes the place
        failed = not self.running and same and known.asked == _asked(resource, last_input)
        return Clone(running, self._failure() if failed else None, tuple(known.starts), logs)

    async def start(
        self, resource: ClaudeSession, last_input: SeenInput | None, fresh: bool, now: datetime, mark: dict[str, str]
    ) -> None:
        """After `kill`, and with the folder made. Raises OSError."""
        git = resource.spec.workspace.git
        assert git is not None
        self._folder.clone_failure.unlink(missing_ok=True)
        earlier = [] if fresh or self._known is None else [at for at in self._known.starts if now - at < WINDOW]
        arguments = self._arguments(git)
        identity = spawn([*self._settings.programs.clone, *arguments], {**for_clone(), **mark}, self._folder.clone_log)
        self._known = _Record(boot_id(), identity, _digest(arguments), _asked(resource, last_input), [*earlier, now])
        scratch = self._folder.clone_record.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode(self._known))
        scratch.rename(self._folder.clone_record)
        self._process = Process.attach(identity, self._on_exit)

    async def kill(self) -> None:
        if self._process is not None:
            await self._process.kill()

    def detach(self) -> None:
        if self._process is not None:
            self._process.detach()

    def _arguments(self, git: Git) -> list[str]:
        folder = self._folder
        arguments = ["--url", git.url, "--volume", str(folder.path), "--result", str(folder.clone_failure)]
        arguments += ["--ref", git.ref] if git.ref is not None else []
        arguments += ["--depth", str(git.depth)] if git.depth is not None else []
        if git.secret_name is not None:
            secret = self._settings.home / "secrets" / git.secret_name
            arguments += ["--secret", str(secret), "--secret-name", f"the folder {secret}"]
        return arguments

    def _failure(self) -> str | None:
        """None for an attempt that ended without a word: killed, or not begun."""
        try:
            return self._folder.clone_failure.read_text() or None
        except OSError:
            return None

    def _read(self) -> _Record | None:
        try:
            return msgspec.json.decode(self._folder.clone_record.read_bytes(), type=_Record)
        except (OSError, msgspec.DecodeError):
            return None


def _digest(arguments: list[str]) -> str:
    return hashlib.sha256("\0".join(arguments).encode()).hexdigest()


def _asked(resource: ClaudeSession, last_input: SeenInput | None) -> str:
    """What asks for an attempt, and for another one after a failure: the spec, a retry, an input."""
    metadata = resource.metadata
    return f"{metadata.generation} {metadata.retry_at or ''} {last_input.seq if last_input else 0}"
