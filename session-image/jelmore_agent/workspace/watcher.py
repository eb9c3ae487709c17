"""The workspace's watcher, as the agent uses it: what happened to files and in repositories, as facts."""

import asyncio
import contextlib
import errno
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from jelmore_agent.workspace.beneath import Root
from jelmore_agent.workspace.breath import Breath
from jelmore_agent.workspace.facts import Fact, file_fact, restore_files, silent_facts
from jelmore_agent.workspace.files import FileTracker, Hooks
from jelmore_agent.workspace.git import GitTracker
from jelmore_agent.workspace.inotify import Inotify
from jelmore_agent.workspace.tree import Change, coalesced
from jelmore_agent.workspace.window import Window

logger = logging.getLogger(__name__)

#: Without inotify the tree is looked at so often (seconds), or as much more rarely as keeps the cost at 2 % of a core.
POLL = 2.0
_POLL_SHARE = 50
_RETRY = 1.0  # seconds, after facts could not be recorded
# inotify is not there, or the user's instances, watches or memory are used up.
_NO_WATCHES = (errno.ENOSYS, errno.ENOSPC, errno.EMFILE, errno.ENOMEM, errno.EPERM)

type Record = Callable[[list[Fact]], None]
type Tell = Callable[[str], None]


class WorkspaceWatcher:
    """`restore` with every fact ever recorded, in order; `start` before the CLI runs; `settle` when a turn ends;
    `close`.

    `record` gets facts in the order in which they are to be kept; where it raises OSError they are offered again later.
    `problem` gets a sentence for a person, each but once. The first start of a session takes the tree as it is and
    records that (facts of kind baseline), so that a later one can tell what changed meanwhile.
    """

    def __init__(self, root: Path, inotify: Inotify, record: Record, problem: Tell) -> None:
        """Raises OSError where `root` is no directory."""
        self._inotify = inotify
        self._record = record
        self._tell = problem
        self._told: set[str] = set()
        self._root = Root(root)
        hooks = Hooks(self._touch, lambda path, exists: self._git.seen(path, exists), self._unwatchable, self._problem)
        self._files = FileTracker(self._root, inotify, hooks)
        self._git = GitTracker(self._root, inotify, hooks, self._files.mark_rules)
        self._window = Window()
        self._touched = asyncio.Event()
        self._looking = asyncio.Lock()
        self._pending: deque[Change | Fact] = deque()  # found, and not recorded yet
        self._since: float | None = None  # when the session's first look began
        self._polling = False
        self._look_took = 0.0
        self._running: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()

    def restore(self, fact: Fact) -> None:
        """Takes a recorded fact back; those of other kinds are passed over."""
        state = fact.get("state") or {}
        if "repository" in state:
            self._git.restore(fact)
        elif fact["kind"] in ("file", "baseline"):
            restore_files(self._files.tree, fact)
            self._since = state.get("complete", self._since)

    async def start(self) -> None:
        """Tells what changed since the facts that were restored, and watches from now on."""
        self._files.mark_all()
        await self._look()
        self._running = asyncio.create_task(self._run())

    async def settle(self, limit_s: float) -> None:
        """Returns when all that happened before the call is recorded, or after `limit_s` seconds at the latest."""
        if self._running is not None and self._running.done():
            self._running.result()
        self._inotify.drain()
        if self._polling:
            self._mark_all()
        task = asyncio.create_task(self._look())
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        done, _ = await asyncio.wait({task}, timeout=limit_s)
        for finished in done:
            finished.result()

    async def close(self) -> None:
        """Ends the watching; what is not recorded yet will be found by the next start."""
        tasks = [*self._settling, *([self._running] if self._running is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._files.close()
        self._git.close()
        self._root.close()

    async def _run(self) -> None:
        while True:
            if self._polling:
                await asyncio.sleep(max(POLL, _POLL_SHARE * self._look_took))
                self._mark_all()
            elif not self._root.usable():
                await asyncio.sleep(POLL)  # nothing tells when it is made, or opened, again
                self._mark_all()
            else:
                await self._touched.wait()
                await self._quiet()
            await self._look()

    async def _quiet(self) -> None:
        """Until the burst that is going on is over, or has lasted long enough."""
        # A change that moves the window's end need not wake anybody.
        while (due := self._window.due) is not None and (left := due - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)

    async def _look(self) -> None:
        async with self._looking:
            if not await self._hand_over():
                return
            began = time.monotonic()
            first = self._since is None
            since = float(int(time.time())) if self._since is None else self._since
            self._window.close()
            self._touched.clear()
            comparison = await self._files.look(adopt=first)
            for fact in silent_facts(self._files.tree.files() if first else comparison.silent):
                self._pending.append(fact)
                await self._hand_over()  # at once, since what is there at first may be much
            self._pending.extend(coalesced(comparison.changes))
            self._pending.extend(await self._git.look(since, adopt=first))
            if first:
                self._pending.append({"kind": "baseline", "state": {"complete": since}})
                self._since = since
            self._look_took = time.monotonic() - began
            await self._hand_over()
            if self._files.dirty or self._git.dirty:
                self._touch()

    async def _hand_over(self) -> bool:
        """Whether all that was found is recorded."""
        breath = Breath()
        while self._pending:
            found = self._pending[0]
            try:
                # One by one, so that after an error it is known which are recorded.
                self._record([file_fact(found) if isinstance(found, Change) else found])
            except OSError as error:
                logger.warning("changes of the workspace could not be recorded, trying again: %s", error)
                asyncio.get_running_loop().call_later(_RETRY, self._touch)
                return False
            self._pending.popleft()
            if breath.due:
                await breath.pause()
        return True

    def _mark_all(self) -> None:
        self._files.mark_all()
        self._git.mark_all()

    def _touch(self) -> None:
        self._window.touch(time.monotonic())
        self._touched.set()

    def _unwatchable(self, error: OSError) -> None:
        if error.errno in _NO_WATCHES and not self._polling:
            self._polling = True
            self._problem(
                f"The workspace cannot be watched by inotify ({error.strerror}), so it is looked at every few seconds "
                "instead; raise fs.inotify.max_user_watches and max_user_instances to be told at once."
            )
            self._touch()

    def _problem(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            with contextlib.suppress(OSError):  # telling is recording, too
                self._tell(message)
