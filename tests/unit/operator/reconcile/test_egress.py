"""What of `spec.egress` is granted, and what becomes of a session that asks for more."""

import ipaddress
from typing import Any

import pytest

from jelmore_contract.resource import Egress
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.conditions import find
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.egress import EgressLimits, addresses, egress_problem
from jelmore_operator.reconcile.observed import Runtime
from jelmore_operator.reconcile.plan import PublishState, SetEgress, StartRuntime, WriteStatus
from tests.support.observations import NOW, RUNNING, observed, report, resource, running


def limits(allowed: str = "", denied: str = "", namespaces: str = "") -> EgressLimits:
    ranges = [tuple(ipaddress.ip_network(cidr) for cidr in text.split()) for text in (allowed, denied)]
    return EgressLimits(ranges[0], ranges[1], tuple(namespaces.split()))


def to(*destinations: str) -> Egress:
    """Of ranges, and of names of namespaces."""
    kinds = [{"cidr" if "/" in each else "namespace": each, "ports": [443]} for each in destinations]
    return Egress.model_validate({"allow": kinds})


EVERYTHING = "0.0.0.0/0 ::/0"


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (to(), limits()),
        (to("10.20.0.0/16"), limits("10.0.0.0/8")),
        (to("10.20.0.0/16"), limits("10.20.0.0/16")),
        (to("10.20.3.4/16"), limits("10.20.0.0/16")),
        (to("192.0.2.7/32", "2001:db8::1/128"), limits(EVERYTHING)),
        (to("0.0.0.0/0", "::/0"), limits(EVERYTHING)),
        (to("10.0.0.0/8", "8.0.0.0/8"), limits(f"{EVERYTHING} 10.0.0.0/8")),
        (to("10.0.0.0/8"), limits("10.0.0.0/8", denied="10.96.0.0/12")),
        (to("tools", "10.0.0.0/8"), limits("10.0.0.0/8", namespaces="other tools")),
    ],
    ids=str,
)
def test_what_is_granted(asked: Egress, granted: EgressLimits) -> None:
    assert egress_problem(asked, granted) is None


NEVER = "is never allowed: {} is of the machine itself, or of the cloud that it runs in"
NAMES_NONE = "sessions.egress.allowedCidrs of the chart (JELMORE_EGRESS_ALLOWED_CIDRS of the operator) names none"


@pytest.mark.parametrize(
    ("asked", "granted", "words"),
    [
        (to("10.20.0.0/16"), limits(), NAMES_NONE),
        (to("10.20.0.0/16"), limits(namespaces="tools"), NAMES_NONE),
        (
            to("10.20.0.0/16"),
            limits("10.21.0.0/16 192.0.2.0/24"),
            "lets sessions choose within 10.21.0.0/16, 192.0.2.0/24.",
        ),
        (to("10.0.0.0/8"), limits("10.20.0.0/16"), "10.0.0.0/8 is not allowed"),
        (to("0.0.0.0/0"), limits("0.0.0.0/1 128.0.0.0/1"), "0.0.0.0/0 is not allowed"),
        (to("::/0"), limits("0.0.0.0/0"), "::/0 is not allowed"),
        *(
            (to(private), limits(EVERYTHING), "Private ranges count only where they are named themselves.")
            for private in (
                "10.0.0.0/8",
                "172.20.0.1/32",
                "192.168.1.0/24",
                "100.64.0.0/10",
                "fd12::/16",
                "64:ff9b::/96",
            )
        ),
        *(
            (to(cidr), limits(f"{EVERYTHING} {of} {cidr}"), NEVER.format(of))
            for cidr, of in {
                "169.254.169.254/32": "169.254.0.0/16",
                "127.0.0.1/32": "127.0.0.0/8",
                "168.63.129.16/32": "168.63.129.16/32",
                "100.100.100.200/32": "100.100.100.200/32",
                "::1/128": "::/127",
                "fe80::1/128": "fe80::/10",
                "fd00:ec2::254/128": "fd00:ec2::/32",
                "::ffff:a00:1/128": "::ffff:0:0/96",
            }.items()
        ),
        (to("10.96.0.1/32"), limits("10.0.0.0/8", denied="10.96.0.0/12"), "10.96.0.1/32 lies in 10.96.0.0/12, which"),
        (to("10.96.0.0/12"), limits("10.0.0.0/8", denied="10.96.0.0/12"), "sessions.egress.deniedCidrs of the chart"),
        (to("tools"), limits("10.0.0.0/8"), "sessions.egress.allowedNamespaces of the chart"),
        (to("tools"), limits(namespaces="a b"), "(JELMORE_EGRESS_ALLOWED_NAMESPACES of the operator) has a, b."),
        (to("8.8.8.8/32", "tools"), limits(EVERYTHING), "spec.egress.allow[1]: namespace tools is not allowed"),
    ],
    ids=str,
)
def test_what_is_not_granted_is_told_with_the_setting(asked: Egress, granted: EgressLimits, words: str) -> None:
    problem = egress_problem(asked, granted)
    assert problem is not None
    assert problem.startswith("spec.egress.allow[")
    assert words in problem


@pytest.mark.parametrize(
    ("cidr", "denied", "without"),
    [
        ("10.20.0.0/16", "", []),
        ("10.0.0.0/8", "10.96.0.0/12 10.0.0.5/32 192.0.2.0/24", ["10.0.0.5/32", "10.96.0.0/12"]),
        ("10.0.0.0/8", "10.96.0.0/12 10.96.0.1/32", ["10.96.0.0/12"]),
        ("10.0.0.0/8", "0.0.0.0/8", []),
        ("160.0.0.0/4", "", ["168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12"]),
        ("100.64.0.0/10", "", ["100.100.100.200/32"]),
        (
            "0.0.0.0/0",
            "192.0.2.0/24",
            [
                *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
                *("172.16.0.0/12", "192.0.2.0/24", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
            ],
        ),
        (
            "::/0",
            "2001:db8::/32",
            [
                *("::/127", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001:db8::/32", "2002::/16"),
                *("fc00::/7", "fe80::/10", "ff00::/8"),
            ],
        ),
    ],
)
def test_what_is_left_out_of_a_range(cidr: str, denied: str, without: list[str]) -> None:
    found = addresses(cidr, limits("0.0.0.0/0", denied))
    assert [str(each) for each in found.without] == without


PROBLEM = "spec.egress.allow[0]: no."
ASKING: dict[str, Any] = {"egress": {"allow": [{"cidr": "10.0.0.0/8", "ports": [443]}]}}


def test_a_session_that_asks_for_too_much_is_not_started_and_not_tried_over_and_over() -> None:
    plan = decide(observed(resource(spec=ASKING), egress_problem=PROBLEM), NOW)
    state, write = plan.actions
    assert isinstance(state, PublishState)
    assert isinstance(write, WriteStatus)
    status = write.status
    assert (status.state, status.message) == (
        SessionState.FAILED,
        f"{PROBLEM} Then retry the session or send it an input; or delete it.",
    )
    condition = find(status.conditions, "EgressReady")
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("False", "NotAllowed", PROBLEM)
    failed = resource(spec=ASKING).model_copy(update={"status": status})
    assert decide(observed(failed, egress_problem=PROBLEM), NOW).actions == ()


def test_a_running_session_that_asks_for_too_much_goes_on_without_it_and_says_so() -> None:
    idle = resource(SessionState.IDLE, ASKING)
    plan = decide(
        observed(idle, report(), runtime=RUNNING, egress_problem=PROBLEM, egress_outdated=True),
        NOW,
    )
    write, change = plan.actions
    assert change == SetEgress()
    assert isinstance(write, WriteStatus)
    assert (write.status.state, write.status.message) == (SessionState.IDLE, PROBLEM)


@pytest.mark.parametrize(
    ("runtime", "actions"), [(Runtime(), [SetEgress(), StartRuntime(fresh=True)]), (running(), [SetEgress()])]
)
def test_it_is_set_before_a_pod_is_there_and_while_it_runs(runtime: Runtime, actions: list[object]) -> None:
    seen = observed(resource(spec=ASKING), runtime=runtime, egress_outdated=True)
    assert [action for action in decide(seen, NOW).actions if not isinstance(action, WriteStatus)] == actions


@pytest.mark.parametrize(
    ("spec", "outdated", "condition"),
    [({}, False, None), (ASKING, True, ("False", "NotApplied")), (ASKING, False, ("True", "Applied"))],
)
def test_the_condition_tells_of_a_session_that_asks_for_something(
    spec: dict[str, Any], outdated: bool, condition: tuple[str, str] | None
) -> None:
    idle = resource(SessionState.IDLE, spec)
    write = decide(observed(idle, report(), runtime=RUNNING, egress_outdated=outdated), NOW).actions[0]
    assert isinstance(write, WriteStatus)
    found = find(write.status.conditions, "EgressReady")
    assert (found and (found.status, found.reason)) == condition


def test_nothing_is_set_for_a_session_that_is_being_deleted() -> None:
    gone = resource(SessionState.IDLE, ASKING, deleted=NOW)
    assert SetEgress() not in decide(observed(gone, egress_outdated=True), NOW).actions
