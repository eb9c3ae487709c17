"""Claude Code's stdio protocol, sans I/O: the frames that the agent reads out of the CLI's lines, and those that it
writes.

Source of every shape: the CLI 2.1.330 as it was seen (stream-json in both directions). A line that is not understood
is kept in the log like any other and simply means nothing here.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from jelmore_contract.events import Encoding, line_payload, rfc3339
from jelmore_contract.states import WaitingFor

type Json = dict[str, Any]  # Any: a JSON object of the CLI's, whose fields are checked where they are read

#: Request ids that the agent gives begin so; others are the CLI's own.
OWN_REQUEST = "jelmore-"

# Tools whose permission request is a question to the user rather than leave to run something.
_KINDS = {"AskUserQuestion": WaitingFor.QUESTION, "ExitPlanMode": WaitingFor.PLAN}


class Line(NamedTuple):
    """A line of the spool, parsed. `frame` is None where it is no JSON object."""

    payload: bytes
    encoding: Encoding | None
    frame: Json | None

    @property
    def type(self) -> str:
        return text(self.frame, "type") or ""

    @property
    def subtype(self) -> str:
        return text(self.frame, "subtype") or ""


def parse(line: bytes) -> Line:
    payload, encoding = line_payload(line)
    return Line(payload, encoding, None if encoding else _object(line))


def _object(line: bytes) -> Json | None:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Lone surrogates, which the standard library alone takes.
        value = json.loads(line)
    return value if isinstance(value, dict) else None


def text(frame: Json | None, name: str) -> str | None:
    """A field that should be a string, or None where it is missing or is something else."""
    value = (frame or {}).get(name)
    return value if isinstance(value, str) else None


def mapping(frame: Json | None, name: str) -> Json:
    """A field that should be an object, or an empty one."""
    value = (frame or {}).get(name)
    return value if isinstance(value, dict) else {}


def listing(frame: Json | None, name: str) -> list[Any]:
    value = (frame or {}).get(name)
    return value if isinstance(value, list) else []


def number(frame: Json | None, name: str) -> float:
    value = (frame or {}).get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0


def moment(frame: Json | None, name: str) -> str | None:
    """A field that should be a time, in seconds since 1970 or as a text, as RFC 3339; None where it is neither."""
    value = (frame or {}).get(name)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return rfc3339(datetime.fromtimestamp(value, UTC))
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return rfc3339(found) if found is not None and found.tzinfo is not None else None
    except (ValueError, OverflowError, OSError):
        return None


class PermissionRequest(NamedTuple):
    """A `can_use_tool` of the CLI's: leave to run a tool, a question or a plan."""

    request_id: str
    kind: WaitingFor
    tool_name: str
    input: Json
    request: Json


def permission_request(frame: Json) -> PermissionRequest | None:
    request, request_id = mapping(frame, "request"), text(frame, "request_id")
    if request_id is None or text(request, "subtype") != "can_use_tool":
        return None
    tool = text(request, "tool_name") or ""
    return PermissionRequest(
        request_id, _KINDS.get(tool, WaitingFor.APPROVAL), tool, mapping(request, "input"), request
    )


def control_request(request_id: str, subtype: str, **fields: object) -> bytes:
    return _encode({"type": "control_request", "request_id": request_id, "request": {"subtype": subtype, **fields}})


def initialize(request_id: str) -> bytes:
    """Readiness probe and registration: after each Bash the CLI prints where it stands (`system/shell_cwd`), without
    a round trip.
    """
    bash = {"matcher": "Bash", "hookCallbackIds": ["jelmore-cwd"], "replacedByFrame": "shell_cwd"}
    return control_request(request_id, "initialize", hooks={"PostToolUse": [bash]})


#: What the CLI itself says to the model when it resumes a turn that was cut.
GO_ON = "Continue from where you left off."


def user_message(input_id: str, content: str | list[Json]) -> bytes:
    return _encode({"type": "user", "uuid": input_id, "message": {"role": "user", "content": content}})


def answer(request_id: str, response: Json) -> bytes:
    return _encode(
        {"type": "control_response", "response": {"subtype": "success", "request_id": request_id, "response": response}}
    )


def refusal(request_id: str, error: str) -> bytes:
    """The answer to a control request that the agent has no part in."""
    return _encode(
        {"type": "control_response", "response": {"subtype": "error", "request_id": request_id, "error": error}}
    )


def permission_answer(pending: Json, given: Json) -> Json:
    """The response to a `can_use_tool`. `pending`: its input; `given`: decision, message, answers, updated_input,
    updated_permissions.
    """
    if given.get("decision") != "allow":
        return {"behavior": "deny", "message": given.get("message") or "The user denied this."}
    updated = given.get("updated_input") or pending
    if given.get("answers") is not None:
        updated = {**updated, "answers": given["answers"]}
    response: Json = {"behavior": "allow", "updatedInput": updated}
    if given.get("updated_permissions"):
        response["updatedPermissions"] = given["updated_permissions"]
    return response


def _encode(frame: Json) -> bytes:
    try:
        return msgspec.json.encode(frame)
    except UnicodeEncodeError:
        return json.dumps(frame, separators=(",", ":")).encode("ascii")
