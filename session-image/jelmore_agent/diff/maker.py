"""The agent's side: starts the process that compares, one at a time, and reads what it found."""

import asyncio
import contextlib
import logging
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from jelmore_agent.diff.job import LIMIT, Job, Result

logger = logging.getLogger(__name__)

NO_GIT = (
    "What turns change is not told as a diff, since git is not installed where the session runs: install it, for "
    "instance with `apt install git`, then start the session again (suspend it, and let it go on)."
)
_GRACE = 5.0  # seconds beyond the process's own limit


class DiffMaker:
    """`done(patch file, result)` is called after each comparison."""

    def __init__(self, workspace: str, folder: Path, done: Callable[[str, Result], None]) -> None:
        self._workspace = workspace
        self._folder = folder
        self._done = done
        self._task: asyncio.Task[None] | None = None
        self.available = shutil.which("git") is not None

    @property
    def busy(self) -> bool:
        return self._task is not None

    async def store_start(self) -> None:
        """Stores how the workspace is before the first run, where that is not stored yet."""
        if self.available:
            await self._run(Job(self._workspace, str(self._folder)))

    def compare(self, patch: str) -> None:
        """In the background. `patch`: name of the file that will hold it. Does nothing where there is no git."""
        if self.available:
            self._task = asyncio.create_task(self._compare(patch))

    async def finish(self) -> None:
        """Waits for what is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _compare(self, patch: str) -> None:
        result = await self._run(Job(self._workspace, str(self._folder), patch))
        self._task = None
        self._done(patch, result)

    async def _run(self, job: Job) -> Result:
        try:
            async with asyncio.timeout(LIMIT + _GRACE):
                result = await _result_of(job)
        except (TimeoutError, OSError, msgspec.DecodeError) as error:
            result = Result(problem=type(error).__name__)
        if result.problem is not None:
            logger.warning("the workspace could not be compared: %s", result.problem)
        return result


async def _result_of(job: Job) -> Result:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "jelmore_agent.diff"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate(msgspec.json.encode(job))
        return msgspec.json.decode(said, type=Result)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
