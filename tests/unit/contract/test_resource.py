"""What the resource's models refuse, and amounts."""

import ipaddress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jelmore_contract.resource import SessionSpec, amount, network, seconds


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("0", 0),
        ("2", 2),
        ("1.5", Decimal("1.5")),
        ("500m", Decimal("0.5")),
        ("1k", 1000),
        ("1Ki", 1024),
        ("3G", 3 * 10**9),
        ("10Gi", 10 * 2**30),
        ("1P", 10**15),
        ("1Pi", 2**50),
    ],
)
def test_a_quantity_is_an_amount(quantity: str, expected: Decimal) -> None:
    assert amount(quantity) == expected


def test_a_whole_number_may_have_a_point() -> None:
    assert SessionSpec.model_validate({"budget": {"turns": 5.0, "usd": 2}}).budget.turns == 5


def test_a_quantity_without_a_unit_needs_no_quotes() -> None:
    for size in (2, 2.0, "2"):
        spec = SessionSpec.model_validate({"workspace": {"storage": {"size": size}}})
        assert spec.workspace.storage.size == "2"


@pytest.mark.parametrize("text", ["", "Gi", "1gi", "1 Gi", "-1", "1e3", "1.", ".5", "1i"])
def test_what_is_no_quantity_has_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity such as 500m or 10Gi"):
        amount(text)


@pytest.mark.parametrize(("duration", "expected"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("1h1s", 3601)])
def test_a_duration_in_seconds(duration: str, expected: int) -> None:
    assert seconds(duration) == expected


def toleration(**fields: Any) -> dict[str, Any]:
    return {"podTemplate": {"tolerations": [fields]}}


def to(**destination: Any) -> dict[str, Any]:
    return {"egress": {"allow": [{"ports": [443], **destination}]}}


NO_CIDR = "must be a range of addresses such as .*Host names cannot be given"
REFUSED = [
    ({"lifecycle": {"suspend": 0}}, "should be a valid boolean"),
    ({"lifecycle": {"suspend": "yes"}}, "should be a valid boolean"),
    ({"budget": {"turns": "5"}}, "should be a valid integer"),
    ({"budget": {"turns": True}}, "should be a valid integer"),
    ({"budget": {"turns": 1.5}}, "should be a valid integer"),
    ({"budget": {"turns": 0}}, "greater than or equal to 1"),
    ({"budget": {"usd": "1"}}, "should be a valid number"),
    ({"workspace": {"storage": {"size": "0Gi"}}}, "must be more than 0, such as 10Gi"),
    ({"workspace": {"path": "here"}}, "must be an absolute path"),
    ({"query": " \n"}, "must not be blank"),
    ({"resources": {"requests": {"memory": "8Gi"}}}, "requests 8Gi of memory, which is more than its limit, 4Gi"),
    ({"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": 1}}}, "requests 1500m of cpu"),
    ({"resources": {"requests": {"CPU": "1"}}}, "should match pattern"),
    ({"resources": {"requests": {"cpu": -1}}}, "should match pattern"),
    ({"resources": {"requests": {"cpu": True}}}, "should be a valid string"),
    ({"podTemplate": {"nodeSelector": {"no good": "x"}}}, "should match pattern"),
    *((to(cidr=text), NO_CIDR) for text in ("example.com", "https://example.com/", "*.example.com", "10.0.0.1", "::1")),
    *((to(cidr=text), NO_CIDR) for text in ("10.0.0.0/33", "010.0.0.0/8", "1.2/8", "1.0.0.0/255.0.0.0", "1.0.0.0/8\n")),
    *((to(cidr=text), NO_CIDR) for text in ("1::2::3/64", "12345::/64", "::/129", "::ffff:1.2.3.4/96", "fe80::1%e/9")),
    (to(), "must name either a cidr or a namespace"),
    (to(cidr="10.0.0.0/8", namespace="a"), "must name either a cidr or a namespace"),
    (to(namespace="A.b"), "should match pattern"),
    (to(cidr="10.0.0.0/8", ports=[]), "at least 1 item"),
    (to(cidr="10.0.0.0/8", ports=[0]), "greater than or equal to 1"),
    (toleration(value="x"), "without a key, the operator must be Exists"),
    (toleration(key="k", operator="Exists", value="x"), "a value goes with the operator Equal only"),
    (toleration(key="k", effect="NoSchedule", tolerationSeconds=1), "seconds go with the effect NoExecute only"),
]


@pytest.mark.parametrize(("spec", "message"), REFUSED)
def test_nonsense_is_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SessionSpec.model_validate(spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"resources": {"requests": {"cpu": 2, "example.com/gpu": 1}, "limits": {"cpu": "2000m", "example.com/gpu": 1}}},
        {"resources": {"requests": {}, "limits": {}}},
        toleration(operator="Exists"),
        toleration(key="example.com/k", value="", effect="NoExecute", tolerationSeconds=0),
        {"podTemplate": {"nodeSelector": {"example.com/zone": "a", "disk": ""}}},
        to(cidr="10.1.2.3/16"),
        to(cidr="0.0.0.0/0", ports=[1, 65535]),
        to(namespace="tools"),
    ],
)
def test_what_kubernetes_takes_is_taken(spec: dict[str, Any]) -> None:
    SessionSpec.model_validate(spec)


def test_a_number_without_unit_needs_no_quotes() -> None:
    spec = SessionSpec.model_validate({"resources": {"limits": {"cpu": 2}}})
    assert spec.resources.limits == {"cpu": "2"}


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.data())
def test_every_network_is_one_however_it_is_written(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    prefix = data.draw(st.integers(0, address.max_prefixlen))
    whole = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    for text in (f"{address}/{prefix}", f"{address.exploded}/{prefix}", f"{address}/{prefix}".upper()):
        assert network(text) == whole


@given(st.from_regex(r"[0-9a-f]{0,5}(::?[0-9a-f]{0,5}){1,8}/[0-9]{1,3}", fullmatch=True))
def test_what_is_taken_for_one_is_one(text: str) -> None:
    try:
        expected = ipaddress.ip_network(text, strict=False)
    except ValueError:
        with pytest.raises(ValueError, match="must be a range of addresses"):
            network(text)
    else:
        leading_zero = text.partition("/")[2] not in ("0", str(expected.prefixlen))
        assert leading_zero or network(text) == expected
