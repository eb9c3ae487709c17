"""What the resource's models refuse, and amounts."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from jelmore_contract.resource import SessionSpec, amount, seconds


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


@pytest.mark.parametrize("text", ["", "Gi", "1gi", "1 Gi", "-1", "1e3", "1.", ".5", "1i"])
def test_what_is_no_quantity_has_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity such as 500m or 10Gi"):
        amount(text)


@pytest.mark.parametrize(("duration", "expected"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("1h1s", 3601)])
def test_a_duration_in_seconds(duration: str, expected: int) -> None:
    assert seconds(duration) == expected


def toleration(**fields: Any) -> dict[str, Any]:
    return {"podTemplate": {"tolerations": [fields]}}


REFUSED = [
    ({"workspace": {"storage": {"size": "0Gi"}}}, "must be more than 0, such as 10Gi"),
    ({"workspace": {"path": "here"}}, "must be an absolute path"),
    ({"query": " \n"}, "must not be blank"),
    ({"resources": {"requests": {"memory": "8Gi"}}}, "requests 8Gi of memory, which is more than its limit, 4Gi"),
    ({"resources": {"requests": {"cpu": "1500m"}, "limits": {"cpu": 1}}}, "requests 1500m of cpu"),
    ({"resources": {"requests": {"CPU": "1"}}}, "should match pattern"),
    ({"resources": {"requests": {"cpu": -1}}}, "should match pattern"),
    ({"resources": {"requests": {"cpu": True}}}, "should be a valid string"),
    ({"podTemplate": {"nodeSelector": {"no good": "x"}}}, "should match pattern"),
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
    ],
)
def test_what_kubernetes_takes_is_taken(spec: dict[str, Any]) -> None:
    SessionSpec.model_validate(spec)


def test_a_number_without_unit_needs_no_quotes() -> None:
    spec = SessionSpec.model_validate({"resources": {"limits": {"cpu": 2}}})
    assert spec.resources.limits == {"cpu": "2"}
