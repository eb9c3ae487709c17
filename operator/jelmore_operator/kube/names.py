"""What the objects of a session are called, and how they are found again."""

import hashlib

SESSION_LABEL = "jelmore.dev/session"
FINALIZER = "jelmore.dev/session"
FIELD_MANAGER = "jelmore-operator"
#: Of the pod: when the session's last report came when it was started, that report's run, and the recent starts.
REPORT_SEQ = "jelmore.dev/report-seq"
RUN_BEFORE = "jelmore.dev/run-before"
STARTS = "jelmore.dev/starts"
#: Of a claim that was kept when its session was deleted.
KEPT = "jelmore.dev/kept"
#: The line of Claude's user for /etc/passwd: ssh, among others, does nothing for one who has none.
PASSWD = "jelmore.dev/passwd"  # noqa: S105 - the name of an annotation
#: A digest of what the pod was made of, so that one that cannot start is made again when that changes.
MADE_OF = "jelmore.dev/made-of"

_LONGEST = 63
_HASH = 8


def object_name(resource_name: str) -> str:
    """The name of a session's pod, claim and Secret. One that would be too long for a label is cut, and told from
    others that begin alike by a hash.
    """
    name = f"claude-{resource_name}"
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: _LONGEST - _HASH - 1].rstrip('-.')}-{digest}"


def labels(session_id: str) -> dict[str, str]:
    return {
        SESSION_LABEL: session_id,
        "app.kubernetes.io/name": "jelmore-session",
        "app.kubernetes.io/managed-by": "jelmore",
    }
