"""What the resource's fields are made of: the model that all share, the rules of the API server, names and amounts."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, NonNegativeInt, Strict, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

#: A name of a session, as Kubernetes has names of services (a DNS label).
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
#: A name of any Kubernetes object (a DNS subdomain).
ObjectName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
#: `"30m"`, `"1h30m"`, `"90s"`.
Duration = Annotated[
    str, StringConstraints(pattern=r"^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$", min_length=2, max_length=21)
]


def _no_word(value: object) -> object:
    if isinstance(value, str | bytes | bool):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


#: What JSON has as such: no "yes" and no 1 for true, no "3" and no true for a number. 3.0 is the same number as 3.
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]
#: Of an `int`, behind its bounds: `Annotated[int, Field(ge=1), WHOLE]`.
WHOLE = BeforeValidator(_no_word)
ToolRule = Annotated[str, StringConstraints(min_length=1, max_length=512)]


@dataclass(frozen=True, slots=True)
class Rule:
    """What the API server of a cluster checks beyond the schema, in CEL.

    rule: `self` is the object, `oldSelf` what it was before a change; whatever names `oldSelf` is checked on changes
    only. message: what to do. field: the one that is to blame, such as `.path`; without it, the object.
    """

    rule: str
    message: str
    field: str | None = None


class ContractModel(BaseModel):
    """camelCase outside, snake_case in Python; unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", use_enum_values=False)

    #: What a validator of the model checks too where it must hold on one machine as well.
    rules: ClassVar[tuple[Rule, ...]] = ()


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(duration: str) -> int:
    """`"1h30m"` -> 5400. Raises ValueError for what is no duration."""
    match = _DURATION.fullmatch(duration)
    if not duration or match is None:
        raise ValueError(f"not a duration such as 30m or 1h30m: {duration!r}")
    hours, minutes, secs = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + secs


_UNITS = {"": Decimal(1), "m": Decimal("0.001")}
_UNITS |= {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTP", 1)}
_UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)}

_QuantityText = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$", max_length=32)
]


def _as_text(value: object) -> object:
    """2 -> "2": a number without unit needs no quotes; in JSON, 2.0 is the same one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: `"500m"`, `"10Gi"`, `2`: an amount as Kubernetes writes it.
Quantity = Annotated[_QuantityText, BeforeValidator(_as_text, json_schema_input_type=NonNegativeInt | _QuantityText)]


def amount(quantity: str) -> Decimal:
    """`"500m"` -> 0.5, `"1Ki"` -> 1024. Raises ValueError for what is no quantity."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", quantity)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a quantity such as 500m or 10Gi: {quantity!r}")
    return Decimal(match[1]) * _UNITS[match[2]]
