"""The network policy of a session's own, for `spec.egress`: it adds to the one that all sessions' pods have, since
policies add up. Pure.
"""

from jelmore_contract.resource import ClaudeSession, Destination
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.manifests import owned_metadata
from jelmore_operator.kube.names import labels
from jelmore_operator.kube.pods import is_ours
from jelmore_operator.reconcile.egress import EgressLimits, addresses, egress_problem


def policy(resource: ClaudeSession, limits: EgressLimits) -> Document | None:
    """Every field is written out, so that one that was changed can be told by comparing. None where the session asks
    for nothing, or for more than is granted.
    """
    egress = resource.spec.egress
    if not egress.allow or egress_problem(egress, limits) is not None:
        return None
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": owned_metadata(resource),
        "spec": {
            "podSelector": {"matchLabels": labels(resource.session_id)},
            "policyTypes": ["Egress"],
            "egress": [_rule(destination, limits) for destination in egress.allow],
        },
    }


def is_outdated(seen: Document | None, wanted: Document | None, resource: ClaudeSession) -> bool:
    """seen: what has the policy's name."""
    ours = seen is not None and is_ours(seen, resource)
    if seen is None or wanted is None:
        return ours or wanted is not None
    return not ours or bool(seen["spec"] != wanted["spec"])


def _rule(destination: Destination, limits: EgressLimits) -> Document:
    if destination.namespace is not None:
        name = {"kubernetes.io/metadata.name": destination.namespace}
        peer: Document = {"namespaceSelector": {"matchLabels": name}}
    else:
        found = addresses(destination.cidr or "", limits)
        without = {"except": [str(each) for each in found.without]} if found.without else {}
        peer = {"ipBlock": {"cidr": str(found.range), **without}}
    return {"to": [peer], "ports": [{"protocol": "TCP", "port": port} for port in destination.ports]}
