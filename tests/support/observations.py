"""What a session looks like at a moment, in few words, for the tests of what is decided about it."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from jelmore_contract.report import ORIGIN, Report
from jelmore_contract.resource import ClaudeSession, SessionStatus
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.observed import Observed, Runtime, SeenInput, SeenReport

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SESSION_ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def resource(
    state: SessionState = SessionState.PENDING,
    spec: dict[str, Any] | None = None,
    generation: int = 1,
    deleted: datetime | None = None,
    **status: Any,
) -> ClaudeSession:
    """A session that was seen before, unless `observed_generation` says otherwise."""
    seen = {"observed_generation": 1, "state": state, **status}
    return ClaudeSession.model_validate(
        {
            "metadata": {
                "name": "a",
                "uid": SESSION_ID,
                "generation": generation,
                "creation_timestamp": ago(3600),
                "deletion_timestamp": deleted,
            },
            "spec": spec or {},
            "status": SessionStatus(**seen),
        }
    )


def report(phase: Phase = Phase.READY, state: SessionState = SessionState.IDLE, **fields: Any) -> Report:
    return Report(cursor=ORIGIN, run=fields.pop("run", 1), phase=phase, state=state, **fields)


ENDED = report(Phase.ENDED, SessionState.HIBERNATED, drained=True)
GIVEN_UP = report(Phase.FAILED, SessionState.FAILED, drained=True, message="Claude Code ended 5 times in a row.")

#: Both processes run, and have for a minute.
RUNNING = Runtime(launcher=True, agent=True, starts=(ago(60),), spooled=True)
#: Nothing runs; the session's disk holds what earlier runs said.
AT_REST = Runtime(spooled=True)


def running(**changes: Any) -> Runtime:
    return dataclasses.replace(RUNNING, **changes)


def observed(session: ClaudeSession | None = None, last: Report | None = None, **fields: Any) -> Observed:
    """`last`: the agent's last report, at sequence 10 (a runtime's own unless its `report_seq` is 10)."""
    seen = None if last is None else SeenReport(last, 10)
    return Observed(resource=session or resource(), report=seen, **fields)


def sent(seq: int = 20, seconds_ago: float = 1) -> SeenInput:
    return SeenInput(seq, ago(seconds_ago))
