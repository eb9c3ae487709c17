"""What the log says that a session is: told again when it is another, and only then."""

from datetime import datetime
from typing import Any

import pytest

from jelmore_contract.resource import ClaudeSession, SessionSpec
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import ForgetResource, PublishSpecChanged, PublishState
from jelmore_operator.reconcile.policies.description import described, digest
from tests.support.observations import ENDED, NOW, ago, observed, report, resource, running

LABELS = {"team": "a"}
PLAIN = digest(SessionSpec(), {})


def labelled(labels: dict[str, str], **fields: Any) -> ClaudeSession:
    session = resource(**fields)
    return session.model_copy(update={"metadata": session.metadata.model_copy(update={"labels": labels})})


CASES: dict[str, tuple[Observed, bool]] = {
    "what the log says is not known": (observed(resource()), False),
    "the same": (observed(resource(), told=PLAIN), False),
    "another spec": (observed(resource(spec={"model": "opus"}), told=PLAIN), True),
    "a default that was written out": (observed(resource(spec={"partial_messages": False}), told=PLAIN), False),
    "another label": (observed(labelled(LABELS), told=PLAIN), True),
    "the same label": (observed(labelled(LABELS), told=digest(SessionSpec(), LABELS)), False),
    "one label less": (observed(resource(), told=digest(SessionSpec(), LABELS)), True),
    "what the log says cannot be read today": (observed(resource(), told=""), True),
    "it has ended": (observed(labelled(LABELS, state=SessionState.TERMINATED), told=PLAIN), False),
}


@pytest.mark.parametrize("case", CASES)
def test_described(case: str) -> None:
    seen, wanted = CASES[case]
    assert described(seen) == ((PublishSpecChanged(),) if wanted else ())


def test_the_order_of_names_means_nothing() -> None:
    servers = [{"a": {"x": 1, "y": 2}, "b": {}}, {"b": {}, "a": {"y": 2, "x": 1}}]
    one, other = (digest(SessionSpec.model_validate({"mcp_servers": each}), {}) for each in servers)
    assert one == other


def test_a_secret_that_changes_is_not_told() -> None:
    servers = [{"a": {"command": "x", "env": {"TOKEN": token}}} for token in ("1", "2")]
    one, other = (digest(SessionSpec.model_validate({"mcp_servers": each}), {}) for each in servers)
    assert one == other


def test_it_is_told_in_the_pass_that_sees_it() -> None:
    seen = observed(resource(SessionState.IDLE, {"model": "opus"}), report(), runtime=running(), told=PLAIN)
    assert PublishSpecChanged() in decide(seen, NOW).actions


@pytest.mark.parametrize("asked", [ago(1), ago(1000)], ids=["in time", "late"])
def test_a_change_just_before_the_deletion_is_told_before_the_end(asked: datetime) -> None:
    seen = observed(resource(spec={"model": "opus"}, deleted=asked), ENDED, told=PLAIN)
    actions = decide(seen, NOW).actions
    told, ended = actions.index(PublishSpecChanged()), actions.index(PublishState(SessionState.TERMINATED, None))
    assert told < ended
    assert isinstance(actions[-1], ForgetResource)
