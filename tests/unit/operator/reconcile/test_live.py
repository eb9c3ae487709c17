"""What a running agent is told when the spec changes."""

from typing import Any

import msgspec
import pytest

from jelmore_contract.resource import SessionSpec
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.live import configured, live_settings
from jelmore_operator.reconcile.observed import Observed, SeenConfigure
from jelmore_operator.reconcile.plan import Configure
from jelmore_operator.reconcile.policies.run import run
from tests.support.observations import NOW, observed, report, resource, running

SPEC: dict[str, Any] = {
    "model": "opus",
    "permissionMode": "plan",
    "approvals": {"timeout": "1m"},
    "lifecycle": {"turnTimeout": "2m", "onInterrupted": "wait"},
    "budget": {"usd": 3},
}
LIVE = live_settings(SessionSpec.model_validate(SPEC))
OTHER = msgspec.structs.replace(LIVE, model=None)


def seen(goes_by: object, sent: SeenConfigure | None = None, phase: Phase = Phase.READY) -> Observed:
    said = report(phase, live=goes_by, command_seq=20)
    return observed(resource(SessionState.IDLE, SPEC), said, runtime=running(report_seq=10), last_configure=sent)


def test_all_that_can_change_at_once() -> None:
    assert msgspec.structs.asdict(LIVE) == {
        "model": "opus",
        "permission_mode": "plan",
        "approval_timeout": 60,
        "turn_timeout": 120,
        "on_interrupted": "wait",
        "budget_usd": 3.0,
    }


CASES: dict[str, tuple[Observed, bool]] = {
    "it goes by the spec": (seen(LIVE), False),
    "it goes by something else": (seen(OTHER), True),
    "its agent says nothing of it": (seen(None), False),
    "it was told, and has not heard": (seen(OTHER, SeenConfigure(21, LIVE)), False),
    "it was told something else since": (seen(LIVE, SeenConfigure(21, OTHER)), True),
    "it was told a part by somebody": (seen(LIVE, SeenConfigure(21, None)), True),
    "what it heard long ago was another": (seen(OTHER, SeenConfigure(19, LIVE)), True),
    "it ended": (seen(OTHER, phase=Phase.ENDED), False),
}


@pytest.mark.parametrize("case", CASES)
def test_configured(case: str) -> None:
    what, told = CASES[case]
    assert configured(what) == ((Configure(LIVE),) if told else ())


def test_a_session_that_runs_is_told() -> None:
    assert run(seen(OTHER), NOW).actions == (Configure(LIVE),)
