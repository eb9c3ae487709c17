"""What of `spec.egress.allow` the installation grants. Whoever may make sessions chooses what their pods reach: only
within what whoever runs the installation has named, and never a node's own addresses.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from jelmore_contract.resource import Destination, Egress, Network, network

#: Of the machine itself, or of its cloud, which gives credentials to whoever asks: in no range, whoever allows it.
_NEVER = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("168.63.129.16/32", "100.100.100.200/32"),  # the metadata of Azure and of Alibaba Cloud
        *("::/127", "fe80::/10", "ff00::/8", "fd00:ec2::/32"),
        "::ffff:0:0/96",  # IPv4's addresses, written otherwise
    )
)
#: Where clusters and the networks around them are. In no wider range: whoever means them names them.
_PRIVATE = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        *("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
        *("fc00::/7", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"),  # the last three lead to IPv4's
    )
)


@dataclass(frozen=True, slots=True)
class EgressLimits:
    """allowed: ranges that a session's must lie within. denied: what is left out of those. namespaces: those whose pods
    a session may name.
    """

    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addresses:
    """A range, and what is left out of it: each a part of it."""

    range: Network
    without: tuple[Network, ...]


def egress_problem(egress: Egress, limits: EgressLimits) -> str | None:
    """Why not all that is asked for is granted, and what to do, as a sentence."""
    for number, destination in enumerate(egress.allow):
        if (reason := _refused(destination, limits)) is not None:
            return f"spec.egress.allow[{number}]: {reason}"
    return None


def addresses(cidr: str, limits: EgressLimits) -> Addresses:
    """Of a destination that is granted."""
    asked = network(cidr)
    out = (each for each in (*_NEVER, *_PRIVATE, *limits.denied) if _part(each, asked) and each != asked)
    return Addresses(asked, tuple(_widest(out)))


def _refused(destination: Destination, limits: EgressLimits) -> str | None:
    if destination.namespace is not None:
        return _namespace_refused(destination.namespace, limits)
    asked = network(destination.cidr or "")
    for each in _NEVER:
        if _part(asked, each):
            return f"{asked} is never allowed: {each} is of the machine itself, or of the cloud that it runs in."
    for each in limits.denied:
        if _part(asked, each):
            return f"{asked} lies in {each}, which sessions.egress.deniedCidrs of the chart leaves out: name others."
    if any(_grants(allowed, asked) for allowed in limits.allowed):
        return None
    named = ", ".join(str(each) for each in limits.allowed)
    may = f"lets sessions choose within {named}" if named else "names none, so that sessions may choose nothing"
    private = " Private ranges count only where they are named themselves." if named else ""
    return (
        f"{asked} is not allowed: sessions.egress.allowedCidrs of the chart (JELMORE_EGRESS_ALLOWED_CIDRS of the "
        f"operator) {may}.{private} Take it out, or ask whoever runs this installation to allow it."
    )


def _namespace_refused(namespace: str, limits: EgressLimits) -> str | None:
    if namespace in limits.namespaces:
        return None
    may = f"has {', '.join(limits.namespaces)}" if limits.namespaces else "names none"
    return (
        f"namespace {namespace} is not allowed: sessions.egress.allowedNamespaces of the chart "
        f"(JELMORE_EGRESS_ALLOWED_NAMESPACES of the operator) {may}. Take it out, or ask whoever runs this "
        "installation to allow it."
    )


def _grants(allowed: Network, asked: Network) -> bool:
    """A private range is granted by one that lies in it, not by a wider one such as 0.0.0.0/0."""
    return _part(asked, allowed) and not any(
        _part(asked, private) and not _part(allowed, private) for private in _PRIVATE
    )


def _part(one: Network, other: Network) -> bool:
    """Whether `one` lies in `other`, or is the same."""
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)


def _widest(networks: Iterable[Network]) -> list[Network]:
    """Without those that lie in others, in order."""
    found = sorted(set(networks), key=lambda each: (each.version, int(each.network_address), each.prefixlen))
    return [each for each in found if not any(_part(each, other) and each != other for other in found)]
