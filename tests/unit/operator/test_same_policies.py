"""The same table for pods and processes: what is decided does not depend on what a session runs as.

Each situation is built twice, as a folder with processes and as a pod with a claim, and is read by the code that reads
it in life.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jelmore_contract.report import Report
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import SessionKey
from jelmore_operator.identity import Identity
from jelmore_operator.kube.pods import Hindered, Record, record_of, runtime_of
from jelmore_operator.process import folder as processes
from jelmore_operator.process.processes import identify
from jelmore_operator.process.runtime import SessionRuntime
from jelmore_operator.process.settings import Programs, SupervisorSettings
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Runtime
from tests.support.observations import (
    ENDED,
    GIVEN_UP,
    NOW,
    SESSION_ID,
    ago,
    observed,
    report,
    resource,
    sent,
)
from tests.support.pods import seen_pod, stopping

MANY = tuple(ago(n) for n in range(24, 0, -2))
SUSPEND: dict[str, Any] = {"lifecycle": {"suspend": True}}


@dataclass(frozen=True)
class Situation:
    """starts and report_seq: as they were written at the last start. unpublished disk: what `spooled` is of."""

    session: ClaudeSession
    last: Report | None = None
    alive: bool = False
    stopping: datetime | None = None
    starts: tuple[datetime, ...] = (ago(60),)
    report_seq: int = 0
    spooled: bool = True
    input_seq: int | None = None


SITUATIONS: dict[str, tuple[Situation, list[str]]] = {
    "is new": (
        Situation(resource(observed_generation=0), starts=(), spooled=False),
        ["PublishCreated", "StartRuntime"],
    ),
    "runs": (Situation(resource(SessionState.IDLE), report(), alive=True), ["WriteStatus"]),
    "runs and is to be suspended": (
        Situation(resource(SessionState.IDLE, spec=SUSPEND), report(run=1), alive=True),
        ["WriteStatus", "StopRuntime"],
    ),
    "is being suspended": (
        Situation(resource(SessionState.IDLE, spec=SUSPEND), report(), alive=True, stopping=ago(3)),
        ["WriteStatus"],
    ),
    "does not end": (
        Situation(resource(SessionState.IDLE, spec=SUSPEND), report(), alive=True, stopping=ago(31)),
        ["WriteStatus", "KillRuntime"],
    ),
    "is suspended": (
        Situation(resource(SessionState.IDLE, spec=SUSPEND), ENDED),
        ["PublishState", "WriteStatus"],
    ),
    "was lost in a turn": (
        Situation(resource(SessionState.ACTIVE), report(state=SessionState.ACTIVE)),
        ["WriteStatus", "StartRuntime"],
    ),
    "was lost again and again": (
        Situation(resource(SessionState.ACTIVE), report(state=SessionState.ACTIVE), starts=MANY),
        ["PublishState", "WriteStatus"],
    ),
    "ended by itself": (
        Situation(resource(SessionState.IDLE), ENDED),
        ["PublishState", "WriteStatus", "StartRuntime"],
    ),
    "sleeps, and an input comes": (
        Situation(resource(SessionState.HIBERNATED), ENDED, input_seq=20),
        ["PublishState", "WriteStatus", "StartRuntime"],
    ),
    "was given up by its agent": (
        Situation(resource(SessionState.ACTIVE), GIVEN_UP, alive=True),
        ["PublishState", "WriteStatus"],
    ),
    "is deleted while it runs": (
        Situation(resource(SessionState.IDLE, deleted=ago(1)), report(), alive=True),
        ["StopRuntime"],
    ),
    "is deleted and has ended": (
        Situation(resource(SessionState.IDLE, deleted=ago(5)), ENDED),
        ["PublishState", "PublishTerminated", "CloseCommands", "ForgetResource"],
    ),
    "is deleted, and the log lacks something": (
        Situation(resource(SessionState.IDLE, deleted=ago(5)), report()),
        ["StartRuntime"],
    ),
    "is deleted, and time is up": (
        Situation(resource(SessionState.IDLE, deleted=ago(61)), report(), alive=True, stopping=ago(61)),
        ["KillRuntime"],
    ),
    "is deleted, and its host does not answer": (
        Situation(resource(SessionState.IDLE, deleted=ago(99)), report(), alive=True, stopping=ago(99)),
        ["KillRuntime", "PublishState", "PublishTerminated", "CloseCommands", "ForgetResource"],
    ),
}


def as_processes(situation: Situation, home: Path) -> Runtime:
    """This very process stands for launcher and agent."""
    settings = SupervisorSettings(
        home=home,
        nats_url="nats://127.0.0.1:1",
        nats_credentials=home / "core.creds",
        identity=Identity.generate(),
        claude=Path("/bin/claude"),
        programs=Programs((), (), ()),
    )
    folder = processes.Folder(home / "sessions" / SESSION_ID)
    folder.create()
    if situation.spooled:
        (folder.spool / "run-1.jsonl").write_text("{}\n")
    process = identify(os.getpid()) if situation.alive else None
    folder.write_record(
        processes.Record(
            processes.boot_id(),
            "default",
            launcher=process,
            agent=process,
            report_seq=situation.report_seq,
            stopping_since=situation.stopping,
            starts=list(situation.starts),
        )
    )
    runtime = SessionRuntime(SessionKey("default", SESSION_ID), settings, lambda: None)
    try:
        # An agent that another supervisor has started is started anew, once; of pods, that is their parent's.
        return replace(runtime.observe(situation.session), agent_stale=False)
    finally:
        runtime.detach()


def as_pod(situation: Situation, home: Path) -> Runtime:
    record = Record(situation.starts, situation.report_seq)
    pod = seen_pod("Running" if situation.alive else "Succeeded", record)
    if situation.stopping is not None:
        pod = stopping(pod, situation.stopping)
    runtime = runtime_of(situation.session, pod, record_of(pod), Hindered())
    return replace(runtime, spooled=situation.spooled)


@pytest.mark.parametrize("build", [as_processes, as_pod])
@pytest.mark.parametrize("case", SITUATIONS)
async def test_what_is_decided(case: str, build: Callable[[Situation, Path], Runtime], tmp_path: Path) -> None:
    situation, actions = SITUATIONS[case]
    runtime = build(situation, tmp_path)
    last_input = None if situation.input_seq is None else sent(situation.input_seq)
    seen = observed(situation.session, situation.last, runtime=runtime, last_input=last_input)
    plan = decide(seen, NOW)
    assert [type(action).__name__ for action in plan.actions] == actions
    assert plan.insist is (situation.session.metadata.deletion_timestamp is None or _within_limit(situation.session))


def _within_limit(session: ClaudeSession) -> bool:
    asked = session.metadata.deletion_timestamp
    return asked is not None and NOW - asked < timedelta(seconds=62)
