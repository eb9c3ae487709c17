"""Kubernetes Events of a session: what `kubectl describe cls` tells a person. Made of changes alone, so that there is
one for each, not one for each pass.
"""

import logging
import secrets
from datetime import UTC, datetime
from typing import NamedTuple

from jelmore_contract.resource import API_VERSION, KIND, ClaudeSession
from jelmore_contract.states import SessionState
from jelmore_operator.kube.api import EVENTS, Api, Document
from jelmore_operator.kube.names import FIELD_MANAGER
from jelmore_operator.reconcile.conditions import EGRESS_READY, NOT_ALLOWED, READY, find
from jelmore_operator.reconcile.observed import Observed
from jelmore_operator.reconcile.plan import (
    Action,
    DeleteResource,
    KillRuntime,
    PublishState,
    PublishTerminated,
    StartRuntime,
    StopReason,
    WriteStatus,
)

logger = logging.getLogger(__name__)

_LONGEST = 1024  # the API server's own limit


class Happened(NamedTuple):
    reason: str
    message: str
    warning: bool = False


def event_of(observed: Observed, action: Action) -> Happened | None:
    """What a person would want to hear of an action that was carried out."""
    match action:
        case StartRuntime():
            return _started(observed)
        case PublishState(to=SessionState.HIBERNATED, message=message):
            return Happened("Hibernated", message or "The pod is gone; workspace and conversation are kept.")
        case PublishState(to=SessionState.FAILED, message=message):
            return Happened("Failed", message or "The session cannot go on.", warning=True)
        case PublishTerminated(reason=StopReason.MAX_LIFETIME):
            return Happened("Terminated", "The session has reached its maxLifetime; its log stays readable.")
        case PublishTerminated():
            return Happened("Deleted", "The session ended; its log stays readable.")
        case DeleteResource():
            return Happened("Expired", "The session ended its ttlAfterFinished ago, and is deleted.")
        case KillRuntime() if observed.runtime.obstacle is not None and observed.runtime.stopping_since is None:
            return Happened("Replaced", "The pod, which could not start, is made again of what the session says now.")
        case KillRuntime():
            return Happened("Killed", "The pod did not end in time and was ended at once.", warning=True)
        case WriteStatus():
            return _shown(observed, action)
    return None


def _started(observed: Observed) -> Happened:
    if observed.report is None:
        return Happened("Started", "The session's pod was made.")
    return Happened("Resumed", f"The session's pod was made again, after run {observed.report.report.run}.")


def _shown(observed: Observed, write: WriteStatus) -> Happened | None:
    before, block = observed.resource.status.blocked, write.status.blocked
    if block is not None and (before is None or before.reason != block.reason):
        word = {"budget": "BudgetUsed", "quota": "QuotaUsed"}[block.reason]
        return Happened(word, write.status.message or "", warning=True)
    return _hindered(observed, write) or _closed(observed, write)


def _closed(observed: Observed, write: WriteStatus) -> Happened | None:
    """A session that runs goes on without what it asks to reach; one that does not has failed, which is told anyway."""
    before = find(observed.resource.status.conditions, EGRESS_READY)
    after = find(write.status.conditions, EGRESS_READY)
    if after is None or after.reason != NOT_ALLOWED or not observed.runtime.alive:
        return None
    known = before is not None and before.reason == NOT_ALLOWED
    return None if known else Happened("EgressNotAllowed", after.message, warning=True)


def _hindered(observed: Observed, write: WriteStatus) -> Happened | None:
    obstacle = observed.runtime.obstacle
    if obstacle is None:
        return None
    before = find(observed.resource.status.conditions, READY)
    after = find(write.status.conditions, READY)
    if after is None or after.reason != obstacle.reason or (before is not None and before.reason == after.reason):
        return None
    return Happened(obstacle.reason, obstacle.message, warning=True)


def event_document(resource: ClaudeSession, happened: Happened, now: datetime) -> Document:
    metadata = resource.metadata
    moment = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name}.{secrets.token_hex(8)}", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": str(metadata.uid),
        },
        "type": "Warning" if happened.warning else "Normal",
        "reason": happened.reason,
        "message": happened.message[:_LONGEST],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


async def post(api: Api, resource: ClaudeSession, happened: Happened) -> None:
    """An Event is a help, nothing depends on it: one that cannot be made is only logged."""
    try:
        await api.create(EVENTS, event_document(resource, happened, datetime.now(UTC)))
    except OSError as error:
        logger.info("no Event was made", extra={"reason": happened.reason, "error": error})
