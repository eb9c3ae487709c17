"""What a session's pod may reach on the network besides what every session's may."""

import ipaddress
import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from jelmore_contract.resource.fields import WHOLE, ContractModel, Name, Rule

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(\.{_OCTET}){{3}}/(3[0-2]|[12]?[0-9])"
_GROUP = "[0-9a-fA-F]{1,4}"
#: By where `::` stands, if it does.
_FORMS = (
    f"({_GROUP}:){{7}}{_GROUP}",
    *(f"({_GROUP}:){{1,{before}}}(:{_GROUP}){{1,{7 - before}}}" for before in range(1, 7)),
    f"({_GROUP}:){{1,7}}:",
    f":((:{_GROUP}){{1,7}}|:)",
)
_IPV6 = f"({'|'.join(_FORMS)})/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"
#: A whole expression that Python and CEL (RE2) read alike, and that takes what `ipaddress` takes.
_CIDR = f"({_IPV4}|{_IPV6})"
#: The same as JSON Schema has patterns.
CIDR_PATTERN = f"^{_CIDR}$"
_NO_CIDR = (
    "must be a range of addresses such as 10.20.0.0/16, or 192.0.2.7/32 for a single one. Host names cannot be given: "
    "a NetworkPolicy of Kubernetes knows addresses only. Send what goes to a name through an egress gateway, and allow "
    "the gateway's address; or have a policy of your network plugin's own for sessions' pods, such as a "
    "CiliumNetworkPolicy with toFQDNs"
)
_ONE = "must name either a cidr or a namespace"

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Port = Annotated[int, Field(ge=1, le=65535), WHOLE]


def network(cidr: str) -> Network:
    """Bits of the address beyond the prefix mean nothing, as in Kubernetes. Raises ValueError with what to do."""
    if re.fullmatch(_CIDR, cidr) is None:
        raise ValueError(_NO_CIDR)
    return ipaddress.ip_network(cidr, strict=False)


class Destination(ContractModel):
    """Addresses, or pods, and their ports."""

    rules = (
        # `namespace` is a word of CEL's own.
        Rule("has(self.cidr) != has(self.__namespace__)", _ONE),
        Rule(f"!has(self.cidr) || self.cidr.matches('^{_CIDR}$')".replace("\\", "\\\\"), _NO_CIDR, ".cidr"),
    )

    cidr: str | None = Field(
        None,
        min_length=1,
        max_length=43,
        description="Addresses, as 10.20.0.0/16 or 2001:db8::/32; 192.0.2.7/32 is a single one. No host names: a "
        "NetworkPolicy of Kubernetes knows none.",
    )
    namespace: Name | None = Field(
        None,
        max_length=63,
        description="Instead: all pods of this namespace. A Service is reached by that of its pods.",
    )
    ports: list[Port] = Field(
        min_length=1, max_length=16, description="TCP ports there; of pods, not of a Service before them."
    )

    @field_validator("cidr")
    @classmethod
    def _addresses(cls, cidr: str | None) -> str | None:
        if cidr is not None:
            network(cidr)
        return cidr

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.cidr is None) == (self.namespace is None):
            raise ValueError(_ONE)
        return self


class Egress(ContractModel):
    """What the session's pod may reach besides what the installation lets all of them reach."""

    allow: list[Destination] = Field(
        default_factory=list,
        max_length=16,
        description="Within what the installation lets sessions choose (sessions.egress of the chart).",
    )
