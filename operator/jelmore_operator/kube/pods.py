"""What a session's pod tells: the runtime that `reconcile` decides about. Read from the pod alone, so that it outlives
whoever reconciles.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from jelmore_contract.events import rfc3339
from jelmore_contract.resource import ClaudeSession
from jelmore_operator.kube.api import Document
from jelmore_operator.kube.names import KEPT, REPORT_SEQ, RUN_BEFORE, SESSION_LABEL, STARTS, object_name
from jelmore_operator.reconcile.backoff import WINDOW
from jelmore_operator.reconcile.observed import Obstacle, Runtime, SeenReport

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a session's starts, in annotations of its pod. See `observed.Runtime`."""

    starts: tuple[datetime, ...] = ()
    report_seq: int = 0
    run_before: int = 0

    def annotations(self) -> dict[str, str]:
        return {
            STARTS: ",".join(rfc3339(start) for start in self.starts),
            REPORT_SEQ: str(self.report_seq),
            RUN_BEFORE: str(self.run_before),
        }

    def started(self, last: SeenReport | None, fresh: bool, now: datetime) -> "Record":
        """The record of the next start. last: the last report then."""
        starts = () if fresh else tuple(start for start in self.starts if now - start < WINDOW)
        seq, run = (last.seq, last.report.run) if last is not None else (0, 0)
        return Record((*starts, now), seq, run)


def record_of(pod: Document) -> Record:
    """Anybody who may change the pod may write nonsense there: that counts as nothing."""
    notes = pod["metadata"].get("annotations", {})
    return Record(_times(notes.get(STARTS, "")), _number(notes.get(REPORT_SEQ)), _number(notes.get(RUN_BEFORE)))


def _times(text: str) -> tuple[datetime, ...]:
    try:
        return tuple(datetime.fromisoformat(word).astimezone(UTC) for word in text.split(",") if word)
    except ValueError:
        return ()


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else 0


def is_ours(document: Document, resource: ClaudeSession) -> bool:
    """Whether this object is the session's: not what an earlier one of its name has left, nor a stranger's."""
    owners: Iterable[Document] = document["metadata"].get("ownerReferences", ())
    return any(owner["uid"] == str(resource.metadata.uid) for owner in owners)


def is_kept(claim: Document) -> bool:
    """Whether it has outlived its session on purpose."""
    return KEPT in claim["metadata"].get("annotations", {})


def is_of_session(document: Document, resource: ClaudeSession) -> bool:
    """By the session's id, which a restored resource brings back: its claim may outlive the first resource."""
    return bool(document["metadata"].get("labels", {}).get(SESSION_LABEL) == resource.session_id)


def has_ended(pod: Document) -> bool:
    return pod.get("status", {}).get("phase") in _ENDED


def stopping_since(pod: Document) -> datetime | None:
    metadata = pod["metadata"]
    if "deletionTimestamp" not in metadata:
        return None
    grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
    return datetime.fromisoformat(metadata["deletionTimestamp"]) - grace


def logs_of(resource: ClaudeSession) -> str:
    metadata = resource.metadata
    return f"`kubectl -n {metadata.namespace} logs {object_name(metadata.name)} --all-containers --prefix`"


class Hindered(NamedTuple):
    """outdated: the pod would be made otherwise now. Of a pod that runs it does not matter: its next run is another."""

    by: Obstacle | None = None
    outdated: bool = False


def runtime_of(resource: ClaudeSession, pod: Document | None, record: Record, hindered: Hindered) -> Runtime:
    """pod: None where there is none of the session's own. A pod has both or none of launcher and agent: what ends in
    it alone is started again by its kubelet.
    """
    lives = pod is not None and not has_ended(pod)
    return Runtime(
        launcher=lives,
        agent=lives,
        stopping_since=stopping_since(pod) if pod is not None and lives else None,
        starts=record.starts,
        report_seq=record.report_seq,
        run_before=record.run_before,
        logs=logs_of(resource),
        pod=pod["metadata"]["name"] if pod is not None and lives else None,
        obstacle=hindered.by,
        outdated=hindered.outdated,
    )
