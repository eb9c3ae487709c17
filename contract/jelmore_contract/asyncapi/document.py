"""The document's channels, messages and operations. `send` and `receive` are Jelmore's: it sends events."""

from typing import Any

from jelmore_contract.asyncapi.examples import (
    COMMAND_EXAMPLES,
    DEAD_LETTER_EXAMPLE,
    EVENT_EXAMPLES,
    FRAME_EXAMPLES,
    SESSION,
    command_example,
    event_example,
)
from jelmore_contract.asyncapi.schemas import command_name, event_schema, message_name, ref, schemas
from jelmore_contract.commands import COMMANDS
from jelmore_contract.events import LIVE_OUTPUT, EventType
from jelmore_contract.payloads import PAYLOADS
from jelmore_contract.subjects import STREAM

type Json = dict[str, Any]

_DESCRIPTION = """
What sessions say and do, and what is asked of them, on NATS and over the WebSocket. A session's events and commands are
in one JetStream stream, `JELMORE`, in the order in which they happened; the stream's sequence is the cursor everywhere.
Subscribe with wildcards: `jelmore.event.team-a.>` is everything in a namespace,
`jelmore.event.*.*.session.turn_completed` every turn's end anywhere. `docs/events.md` tells more, with examples.
"""
_PARAMETERS: Json = {
    "namespace": {"description": "The session's namespace (`default` on one machine)."},
    "session_id": {"description": "The session's id: a UUID, lower-case.", "examples": [SESSION]},
    "blob": {"description": "Name of the blob, as its event has it."},
    "chunk": {"description": "Number of the chunk, from 0; up to 512 KiB each."},
    "category": {"description": "The second part of the message's own subject.", "examples": ["event", "command"]},
}
_OUTPUT = "A line of the CLI. With `encoding: base64` one that is no JSON or no UTF-8."
_CLIENT_FRAMES = ("InputFrame", "InterruptFrame", "AnswerFrame")
_SERVER_FRAMES = ("StreamEvent", "SessionOutputDelta", "BatchFrame", "ReadyFrame", "ReplyFrame")


def document() -> Json:
    """The whole document."""
    channels, messages = _channels(), _messages()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Jelmore",
            "version": "1",
            "description": _DESCRIPTION.strip(),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"bus": _server("nats", "4222"), "api": _server("ws", "8000") | {"pathname": "/api/v1"}},
        "channels": channels,
        "operations": _operations(channels),
        "components": {"schemas": schemas(), "messages": messages, "parameters": _PARAMETERS},
    }


def _server(protocol: str, port: str) -> Json:
    about = {
        "nats": "JetStream; NATS 2.12 or later. On one machine `endpoints.json` in the data folder has the address.",
        "ws": "The API. In a cluster with a bearer token of Kubernetes.",
    }
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "description": about[protocol],
        "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": port}},
    }


def _channels() -> Json:
    found = {_key(kind): _bus(f"event.{{namespace}}.{{session_id}}.{kind}", message_name(kind)) for kind in EventType}
    for kind in COMMANDS:
        found[_key(f"command.{kind}")] = _bus(f"command.{{namespace}}.{{session_id}}.{kind}", command_name(kind))
    found["blob"] = _bus("blob.{namespace}.{session_id}.{blob}.{chunk}", "BlobChunk")
    found["report"] = _bus("agent.{namespace}.{session_id}", "Report")
    found["live"] = _bus("live.{namespace}.{session_id}", message_name(LIVE_OUTPUT), stored=False)
    found["deadLetters"] = _bus("dead.{category}", "DeadLetter", stored=False)
    found["stream"] = _web_socket()
    return found


def _key(kind: str) -> str:
    """`session.turn_completed` -> `sessionTurnCompleted`."""
    name = message_name(kind)
    return name[0].lower() + name[1:]


def _bus(address: str, message: str, *, stored: bool = True) -> Json:
    parameters = [name for name in _PARAMETERS if f"{{{name}}}" in address]
    return {
        "address": f"jelmore.{address}",
        "servers": [{"$ref": "#/servers/bus"}],
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in parameters},
        "x-jetstream": {"stream": STREAM} if stored else {"stream": None},
    }


def _web_socket() -> Json:
    query = {
        "type": "object",
        "properties": {
            "after": {"type": "integer", "minimum": 0, "description": "Only events above this seq; 0: from the start."},
            "deltas": {"type": "boolean", "description": "With partial messages while they come."},
            "batch": {"type": "boolean", "description": "What is replayed comes many events to a frame."},
        },
    }
    return {
        "address": "/session/{session_id}/stream",
        "description": "Replay, then live: no gap and no double. Close 1000: the session has ended. 1008: not allowed. "
        "1013: too slow, or the server shuts down; come back with `after`.",
        "servers": [{"$ref": "#/servers/api"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*_SERVER_FRAMES, *_CLIENT_FRAMES)},
        "parameters": {"session_id": {"$ref": "#/components/parameters/session_id"}},
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    }


def _messages() -> Json:
    found: Json = {}
    for kind in EventType:
        summary = (PAYLOADS[kind].__doc__ or "") if kind in PAYLOADS else _OUTPUT
        example = event_example(kind, EVENT_EXAMPLES[kind])
        found[message_name(kind)] = _message(kind, summary, event_schema(kind), example)
    for command, payload in COMMANDS.items():
        example = command_example(command, COMMAND_EXAMPLES[command])
        found[command_name(command)] = _message(command, payload.__doc__ or "", ref(command_name(command)), example)
    delta = {"type": "stream_event", "event": {"type": "content_block_delta", "index": 0}}
    about_delta = "A piece of a message while it comes: never stored, since the whole message follows as an event."
    found[message_name(LIVE_OUTPUT)] = _message(
        LIVE_OUTPUT, about_delta, ref(message_name(LIVE_OUTPUT)), event_example(LIVE_OUTPUT, delta)
    )
    found["StreamEvent"] = _message(
        "event",
        "An event of the session.",
        ref("StreamEvent"),
        {"seq": 7, **found["SessionInput"]["examples"][0]["payload"]},
    )
    found["BatchFrame"] = _message(
        "stream.batch",
        "Many replayed events.",
        ref("BatchFrame"),
        {"event_type": "stream.batch", "events": [found["StreamEvent"]["examples"][0]["payload"]]},
    )
    found |= {name: _message(name, "", ref(name), example) for name, example in FRAME_EXAMPLES.items()}
    found["DeadLetter"] = _message(
        "dead letter", "Noise on the log's subjects.", ref("DeadLetter"), DEAD_LETTER_EXAMPLE
    )
    found["Report"] = _message("report", "Where a session's agent stands; only the last one counts.", ref("Report"))
    found["BlobChunk"] = {
        "name": "chunk of a blob",
        "summary": "A part of a payload that is too large for its event.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "maxLength": 512 * 1024},
    }
    return found


def _message(name: str, summary: str, payload: Json, example: Any = None) -> Json:
    message: Json = {"name": name, "summary": " ".join(summary.split()), "payload": payload}
    return message | ({"examples": [{"payload": example}]} if example is not None else {})


def _operations(channels: Json) -> Json:
    found = {}
    for name, channel in channels.items():
        if name == "stream":
            continue
        action = "receive" if name.startswith("command") else "send"
        found[f"{action}{name[0].upper()}{name[1:]}"] = _operation(action, name, channel["messages"])
    found["sendFrames"] = _operation("send", "stream", _SERVER_FRAMES)
    found["receiveFrames"] = _operation("receive", "stream", _CLIENT_FRAMES)
    return found


def _operation(action: str, channel: str, messages: Any) -> Json:
    here = f"#/channels/{channel}"
    bindings = {} if channel == "stream" else {"bindings": {"nats": {"bindingVersion": "0.1.0"}}}
    return {
        "action": action,
        "channel": {"$ref": here},
        "messages": [{"$ref": f"{here}/messages/{name}"} for name in messages],
        **bindings,
    }
