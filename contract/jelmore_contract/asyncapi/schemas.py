"""JSON Schemas (draft 7, as AsyncAPI has it) of all messages, made from the types that the code itself uses."""

import re
from typing import Any

import msgspec

from jelmore_contract.commands import COMMANDS, UUID_PATTERN
from jelmore_contract.dead_letters import DeadLetter
from jelmore_contract.events import LIVE_OUTPUT, Encoding, EventType
from jelmore_contract.frames import BATCH, AnswerFrame, InputFrame, InterruptFrame, ReadyFrame, ReplyFrame
from jelmore_contract.payloads import PAYLOADS
from jelmore_contract.report import Report

type Schema = dict[str, Any]

FRAMES: tuple[type, ...] = (InputFrame, InterruptFrame, AnswerFrame, ReadyFrame, ReplyFrame)
_TYPES: tuple[type, ...] = (*PAYLOADS.values(), *COMMANDS.values(), *FRAMES, DeadLetter, Report)
_REF = "#/components/schemas/"

_SESSION_ID: Schema = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN, "description": "The session's id."}
_TIME: Schema = {"type": "string", "format": "date-time", "examples": ["2025-08-06T12:00:00.000Z"]}
_SEQ: Schema = {
    "type": "integer",
    "minimum": 1,
    "description": "Sequence in the stream: strictly increasing, the one cursor everywhere. Over WebSocket, SSE and "
    "REST alone; on NATS it is the stored message's own.",
}


def message_name(word: str) -> str:
    """`session.turn_completed` -> `SessionTurnCompleted`."""
    return "".join(part.capitalize() for part in re.split(r"[._]", word))


def ref(name: str) -> Schema:
    return {"$ref": _REF + name}


def schemas() -> dict[str, Schema]:
    """All of `components.schemas`, by name."""
    _, found = msgspec.json.schema_components(_TYPES, ref_template=_REF + "{name}")
    own = {name: _tidied(schema) for name, schema in found.items()}
    own |= {message_name(kind): _event(kind, ref(payload.__name__)) for kind, payload in PAYLOADS.items()}
    own[message_name(EventType.OUTPUT)] = _event(EventType.OUTPUT, _LINE)
    own[message_name(LIVE_OUTPUT)] = _event(LIVE_OUTPUT, _DELTA)
    own |= {"EventInBase64": _IN_BASE64, "EventInBlob": _IN_BLOB}
    own |= {command_name(kind): _command(kind, ref(payload.__name__)) for kind, payload in COMMANDS.items()}
    every = [ref(message_name(kind)) for kind in EventType]
    own["StreamEvent"] = {
        "description": "Any event, with its sequence.",
        "allOf": [{"required": ["seq"]}, {"oneOf": [*every, ref("EventInBase64"), ref("EventInBlob")]}],
    }
    own["BatchFrame"] = {
        "type": "object",
        "description": "Many replayed events in one frame, for clients that ask for it.",
        "required": ["event_type", "events"],
        "properties": {
            "event_type": {"const": BATCH},
            "events": {"type": "array", "items": ref("StreamEvent")},
        },
    }
    return own


def command_name(kind: str) -> str:
    return f"Command{kind.capitalize()}"


def event_schema(kind: EventType) -> Schema:
    """What a message of this type can look like on the bus."""
    forms = [message_name(kind), *(["EventInBase64"] if kind is EventType.OUTPUT else []), "EventInBlob"]
    return {"oneOf": [ref(form) for form in forms]}


def _tidied(node: Any) -> Any:
    """Draft 7 passes over what stands beside a `$ref`, so that goes into an `allOf`; a default of null says nothing."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {
        name: value if name in ("examples", "enum") else _tidied(value)
        for name, value in node.items()
        if not (name == "default" and value is None)
    }
    if "$ref" in tidy and len(tidy) > 1:
        tidy["allOf"] = [{"$ref": tidy.pop("$ref")}]
    return tidy


def _envelope(kind: Schema, payload: Schema, encoding: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "required": ["id", "event_type", "session_id", "timestamp", *(["encoding"] if encoding else []), "payload"],
        "additionalProperties": False,
        "properties": {
            "seq": _SEQ,
            "id": {"type": "string", "description": "The same event always has the same id."},
            "event_type": kind,
            "session_id": _SESSION_ID,
            "timestamp": _TIME,
            **({"encoding": encoding} if encoding else {}),
            "payload": payload,
        },
    }


def _event(kind: str, payload: Schema) -> Schema:
    return {"title": kind} | _envelope({"const": kind}, payload)


def _command(kind: str, payload: Schema) -> Schema:
    return {
        "title": f"command {kind}",
        "type": "object",
        "required": ["id", "kind", "session_id", "timestamp", "payload"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string", "description": "The sender's own name for the command."},
            "kind": {"const": kind, "description": "As in the subject."},
            "session_id": _SESSION_ID | {"description": "As in the subject."},
            "timestamp": {"type": "string", "description": "When it was sent, RFC 3339. Nothing depends on it."},
            "payload": payload,
        },
    }


_LINE: Schema = {
    "description": "The CLI's line, whole and unchanged: nearly always an object with `type`, as Claude Code's "
    "stream-json prints it (system, assistant, user, result, control_request, …).",
}
_DELTA: Schema = {"type": "object", "description": "The CLI's line `stream_event`: a piece of a message to come."}
_IN_BASE64: Schema = {
    "title": "session.output in base64",
    "description": "A line of the CLI that is no JSON, or no UTF-8.",
    **_envelope(
        {"const": EventType.OUTPUT},
        {
            "type": "object",
            "required": ["base64"],
            "additionalProperties": False,
            "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
        },
        {"const": Encoding.BASE64},
    ),
}
_IN_BLOB: Schema = {
    "title": "an event whose payload is a blob",
    "description": "The payload is larger than 512 KiB of JSON: it lies in chunks under `blob`, stored right before.",
    **_envelope(
        {"enum": list(EventType)},
        {
            "type": "object",
            "required": ["blob", "size"],
            "additionalProperties": False,
            "properties": {
                "blob": {"type": "string", "description": "Name of the blob."},
                "size": {"type": "integer", "minimum": 0, "description": "Bytes of all its chunks."},
                "encoding": {"const": Encoding.BASE64, "description": "Where the blob is a payload in base64."},
            },
        },
        {"const": Encoding.BLOB},
    ),
}
