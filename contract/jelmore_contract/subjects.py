"""The subjects of the log (design section 4), built and taken apart in one place."""

import re
from typing import NamedTuple
from uuid import UUID

STREAM = "JELMORE"
#: Key-value bucket of one machine's session resources (design section 8).
BUCKET = "jelmore_sessions"

ALL_EVENTS = "jelmore.event.>"
ALL_COMMANDS = "jelmore.command.>"
ALL_BLOBS = "jelmore.blob.>"
ALL_REPORTS = "jelmore.agent.>"
ALL_LIVE = "jelmore.live.>"
STREAM_SUBJECTS = (ALL_EVENTS, ALL_COMMANDS, ALL_BLOBS, ALL_REPORTS)

# A namespace is a Kubernetes DNS label; what else a subject could be built from must not hold dots, blanks or
# wildcards.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,128}")


class SessionKey(NamedTuple):
    """What names a session on the bus. `session_id` is a UUID in its canonical, lower-case form."""

    namespace: str
    session_id: str


def session_key(namespace: str, session_id: str) -> SessionKey:
    """The key, checked. Raises ValueError for a namespace that is no DNS label or an id that is no canonical UUID."""
    if not _LABEL.fullmatch(namespace):
        raise ValueError(f"not a namespace name: {namespace!r}")
    if str(UUID(session_id)) != session_id:
        raise ValueError(f"not a canonical UUID: {session_id!r}")
    return SessionKey(namespace, session_id)


def event_subject(key: SessionKey, event_type: str) -> str:
    return f"jelmore.event.{key.namespace}.{key.session_id}.{event_type}"


def namespace_events(namespace: str) -> str:
    """Every event of a namespace's sessions. Raises ValueError for what is no name of one."""
    if not _LABEL.fullmatch(namespace):
        raise ValueError(f"not a namespace name: {namespace!r}")
    return f"jelmore.event.{namespace}.>"


def session_events(key: SessionKey) -> str:
    """Every event of one session."""
    return f"jelmore.event.{key.namespace}.{key.session_id}.>"


def command_subject(key: SessionKey, kind: str) -> str:
    return f"jelmore.command.{key.namespace}.{key.session_id}.{kind}"


def session_commands(key: SessionKey) -> str:
    """Every command of one session."""
    return f"jelmore.command.{key.namespace}.{key.session_id}.*"


def blob_subject(key: SessionKey, name: str, chunk: int) -> str:
    if not _WORD.fullmatch(name):
        raise ValueError(f"not a blob's name: {name!r}")
    return f"jelmore.blob.{key.namespace}.{key.session_id}.{name}.{chunk}"


def session_blob(key: SessionKey, name: str) -> str:
    """Every chunk of one blob."""
    return f"jelmore.blob.{key.namespace}.{key.session_id}.{name}.*"


def session_blobs(key: SessionKey) -> str:
    """Every chunk of every blob of one session."""
    return f"jelmore.blob.{key.namespace}.{key.session_id}.>"


def report_subject(key: SessionKey) -> str:
    return f"jelmore.agent.{key.namespace}.{key.session_id}"


def live_subject(key: SessionKey) -> str:
    return f"jelmore.live.{key.namespace}.{key.session_id}"


class Subject(NamedTuple):
    """A subject taken apart. `rest`: the event type, the command's kind, `name.chunk` of a blob, or ""."""

    category: str
    key: SessionKey
    rest: str


def parse_subject(subject: str) -> Subject:
    """Raises ValueError for a subject that is none of Jelmore's."""
    parts = subject.split(".", 4)
    if len(parts) < 4 or parts[0] != "jelmore":
        raise ValueError(f"not a subject of a session: {subject!r}")
    return Subject(parts[1], SessionKey(parts[2], parts[3]), parts[4] if len(parts) == 5 else "")


def spec_key(key: SessionKey) -> str:
    """Where the local store keeps a resource's metadata and spec (written by the API)."""
    return f"{key.namespace}.{key.session_id}.spec"


def status_key(key: SessionKey) -> str:
    """Where the local store keeps a resource's status (written by the supervisor)."""
    return f"{key.namespace}.{key.session_id}.status"
