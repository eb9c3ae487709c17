"""What the log says that a session is: its spec and labels, told again when they are others."""

import hashlib
import json
from collections.abc import Mapping

from jelmore_contract.resource import SessionSpec, told_spec
from jelmore_contract.states import SessionState
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import Action, PublishSpecChanged


def digest(spec: SessionSpec, labels: Mapping[str, str]) -> str:
    """The same for what means the same, in whatever order and whether a default was written out or not."""
    described = [told_spec(spec).model_dump(mode="json", by_alias=True), dict(labels)]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def described(observed: Observed) -> tuple[Action, ...]:
    """Of a session that has ended, nothing more is told: `session.terminated` is the last event of its log."""
    resource = observed.resource
    if observed.told is None or resource.status.state is SessionState.TERMINATED:
        return ()
    same = observed.told == digest(resource.spec, resource.metadata.labels)
    return () if same else (PublishSpecChanged(),)
