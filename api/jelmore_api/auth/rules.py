"""What each call asks of its caller: one table for all routes, and the paths that ask nothing."""

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum

#: Readable by anyone: probes, figures, and pages that hold no data.
OPEN_PATHS = (
    *("/healthz", "/readyz", "/metrics"),
    *("/api/v1/docs", "/api/v1/redoc", "/api/v1/openapi.json", "/api/v1/asyncapi.json"),
)


def is_open(path: str) -> bool:
    return any(path == open_path or path.startswith(f"{open_path}/") for open_path in OPEN_PATHS)


class Verb(StrEnum):
    """On ClaudeSessions, in Kubernetes' words."""

    GET = "get"
    LIST = "list"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Where(StrEnum):
    """Whose namespace counts."""

    SESSION = "session"  # that of the session which the path names
    BODY = "body"  # that of the session which the body describes: the endpoint asks
    QUERY = "query"  # the one that the query names, or else each of which the caller may know: the endpoint asks


@dataclass(frozen=True, slots=True)
class Rule:
    verb: Verb
    where: Where = Where.SESSION


_SESSION = "/api/v1/session/{session_id}"

#: By method (WEBSOCKET for a WebSocket) and path.
RULES: dict[tuple[str, str], Rule] = {
    ("POST", "/api/v1/session"): Rule(Verb.CREATE, Where.BODY),
    ("GET", "/api/v1/sessions"): Rule(Verb.LIST, Where.QUERY),
    ("GET", _SESSION): Rule(Verb.GET),
    ("PATCH", _SESSION): Rule(Verb.UPDATE),
    ("DELETE", _SESSION): Rule(Verb.DELETE),
    ("POST", f"{_SESSION}/input"): Rule(Verb.UPDATE),
    ("POST", f"{_SESSION}/interrupt"): Rule(Verb.UPDATE),
    ("POST", f"{_SESSION}/retry"): Rule(Verb.UPDATE),
    ("GET", f"{_SESSION}/approvals"): Rule(Verb.GET),
    ("POST", f"{_SESSION}/approvals/{{approval_id}}"): Rule(Verb.UPDATE),
    ("GET", f"{_SESSION}/events"): Rule(Verb.GET),
    ("GET", f"{_SESSION}/blobs/{{name}}"): Rule(Verb.GET),
    ("GET", f"{_SESSION}/diff"): Rule(Verb.GET),
    ("WEBSOCKET", f"{_SESSION}/stream"): Rule(Verb.GET),
}
#: What a client sends over an open stream: input, interrupt, answer.
STREAM_COMMAND = Verb.UPDATE


def _pattern(template: str) -> re.Pattern[str]:
    """As the router reads it: a parameter is one step of the path."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


_PATTERNS = [(method, _pattern(template), rule) for (method, template), rule in RULES.items()]
_TEMPLATES = {template: _pattern(template) for _, template in RULES}


def route_of(path: str) -> str | None:
    """The path with its parameters' names in place of their values; None for one that there is not."""
    known = (template for template, pattern in _TEMPLATES.items() if pattern.fullmatch(path))
    opened = (prefix for prefix in OPEN_PATHS if path == prefix or path.startswith(f"{prefix}/"))
    return next(itertools.chain(known, opened), None)


def allowed_methods(path: str) -> str:
    """What a path takes, for the header Allow. What has no rule is read only."""
    found = {method for method, pattern, _ in _PATTERNS if pattern.fullmatch(path) and method != "WEBSOCKET"} or {"GET"}
    return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))


def find_rule(method: str, path: str) -> tuple[Rule, str] | None:
    """The rule of a call and the session id in its path, as it is given there, or ""; None for a call that is none."""
    for of_method, pattern, rule in _PATTERNS:
        if of_method == method and (match := pattern.fullmatch(path)):
            return rule, match.groupdict().get("session_id", "")
    return None
