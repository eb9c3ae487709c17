"""A session's own network policy: what is made, and when it is another than it should be."""

import ipaddress
from typing import Any

import pytest

from jelmore_operator.kube.egress import is_outdated, policy
from jelmore_operator.reconcile.egress import EgressLimits
from tests.support.observations import SESSION_ID, resource

LIMITS = EgressLimits((ipaddress.ip_network("10.0.0.0/8"),), (ipaddress.ip_network("10.96.0.0/12"),), ("tools",))
ALLOW = [
    {"cidr": "10.1.2.3/8", "ports": [443, 22]},
    {"cidr": "10.20.0.0/16", "ports": [5432]},
    {"namespace": "tools", "ports": [8080]},
]
ASKING = resource(spec={"egress": {"allow": ALLOW}})


def made(session: Any = ASKING) -> dict[str, Any]:
    document = policy(session, LIMITS)
    assert document is not None
    return document


def test_what_is_made() -> None:
    document = made()
    assert document["metadata"]["name"] == "claude-a"
    assert document["metadata"]["ownerReferences"][0]["uid"] == SESSION_ID
    assert document["spec"] == {
        "podSelector": {"matchLabels": document["metadata"]["labels"]},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.96.0.0/12"]}}],
                "ports": [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 22}],
            },
            {"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"protocol": "TCP", "port": 5432}]},
            {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "tools"}}}],
                "ports": [{"protocol": "TCP", "port": 8080}],
            },
        ],
    }


def test_none_without_a_wish_and_none_where_not_all_is_granted() -> None:
    """One without rules would be for nothing: the pods have another that closes them."""
    assert policy(resource(), LIMITS) is None
    assert policy(ASKING, EgressLimits()) is None
    more = [*ALLOW, {"namespace": "kube-system", "ports": [53]}]
    assert policy(resource(spec={"egress": {"allow": more}}), LIMITS) is None


CHANGED = {**made(), "spec": {**made()["spec"], "egress": [{}]}}
STRANGERS = {**made(), "metadata": {"name": "claude-a"}}


@pytest.mark.parametrize(
    ("seen", "wanted", "outdated"),
    [
        (None, None, False),
        (None, made(), True),
        (made(), made(), False),
        (CHANGED, made(), True),
        (made(), None, True),
        (STRANGERS, None, False),
        (STRANGERS, made(), True),
    ],
)
def test_when_it_is_another(seen: dict[str, Any] | None, wanted: dict[str, Any] | None, outdated: bool) -> None:
    assert is_outdated(seen, wanted, ASKING) is outdated
