"""What sessions cost with the real CLI: memory of agent and launcher, and CPU while nothing happens."""

import time
from collections.abc import Iterable, Iterator
from statistics import median

from tests.perf import processes
from tests.perf.product import Session, running, scratch_folder
from tests.perf.report import Row, limit_row
from tests.support.up import Up

AGENT_MIB = 40.0
LAUNCHER_MIB = 16.0
IDLE_PERCENT = 0.1
_SESSIONS = 10
_IDLE_S = 60.0
#: Until what a start or a turn leads to is over: timers, checkpoints, the CLI's own second thoughts.
_SETTLE_S = 10.0
#: What the demo model does with each: files, commands, words.
_TURNS = (
    "write me a FastAPI application",
    '@@[{"tool": "Bash", "input": {"command": "git init -q . && ls -la"}}, {"text": "done", "chars": 20000}]@@',
    "hello",
)


def measure() -> Iterator[Row]:
    with scratch_folder() as folder, running(folder) as up:
        time.sleep(_SETTLE_S)
        before = _spent(up, [])
        sessions = _busy_sessions(up)
        yield from _memory(sessions)
        time.sleep(_SETTLE_S)
        after = _spent(up, sessions)
    own = sum(after[part] for part in ("agent", "launcher")) / len(sessions)
    shared = (after["shared"] - before["shared"]) / len(sessions)
    yield limit_row("idle session: CPU of agent and launcher, of a core", "%", own, None)
    yield limit_row(
        f"idle session: its share in API, supervisor and servers ({_SESSIONS} against none)", "%", shared, None
    )
    yield limit_row(f"idle session outside the CLI, {_IDLE_S:.0f} s", "%", own + max(0.0, shared), IDLE_PERCENT)
    yield limit_row("no session at all: API, supervisor, three servers", "%", before["shared"], None)


def _busy_sessions(up: Up) -> list[Session]:
    """One after the other, so that none waits for the machine; all idle at the end."""
    sessions = []
    for _ in range(_SESSIONS):
        session = Session(up, allowed_tools=["Bash"])
        for number, text in enumerate(_TURNS, 1):
            session.send(text)
            session.idle(number)
        sessions.append(session)
    return sessions


def _memory(sessions: Iterable[Session]) -> Iterator[Row]:
    turns = len(_TURNS)
    for part, limit in (("agent", AGENT_MIB), ("launcher", LAUNCHER_MIB)):
        pids = [session.pid(part) for session in sessions]
        resident = [mib for pid in pids if (mib := processes.memory_mib(pid, "VmRSS")) is not None]
        yield limit_row(
            f"{part}: resident memory after {turns} turns, most of {len(pids)}", "MiB", max(resident), limit
        )
        if share := [mib for pid in pids if (mib := processes.memory_mib(pid, "Pss")) is not None]:
            yield limit_row(f"{part}: its share of it (PSS), median", "MiB", median(share), None)


def _spent(up: Up, sessions: Iterable[Session]) -> dict[str, float]:
    """Per cent of a core over a while in which nothing is asked: of all agents, all launchers, and what all share."""
    assert up.process is not None
    ours = {"agent": {s.pid("agent") for s in sessions}, "launcher": {s.pid("launcher") for s in sessions}}
    beside = {pid for launcher in ours["launcher"] for pid in (launcher, *processes.descendants(launcher))}
    everything = {up.process.pid, *processes.descendants(up.process.pid)}
    demo = {pid for pid in everything if "jelmore_local.demo" in processes.arguments(pid)}
    ours["shared"] = everything - ours["agent"] - beside - demo
    began, start = time.monotonic(), {pid: processes.cpu_s(pid) for part in ours.values() for pid in part}
    time.sleep(_IDLE_S)
    end = {pid: processes.cpu_s(pid) for pid in start}
    passed = time.monotonic() - began
    return {part: 100 * sum(end[pid] - start[pid] for pid in pids) / passed for part, pids in ours.items()}
