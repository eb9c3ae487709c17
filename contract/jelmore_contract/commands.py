"""Commands: what is asked of a session, as messages on `jelmore.command.<namespace>.<session_id>.<kind>`."""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from jelmore_contract.events import encode_json
from jelmore_contract.states import Decision

#: The largest text or content of one input, in bytes of JSON: with its envelope it must fit NATS' default max_payload
#: of 1 MiB.
MAX_INPUT_BYTES = 1_000_000
#: Levels of a payload. What is deeper could be read here and break who reads it next.
MAX_DEPTH = 64
UUID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class CommandKind(StrEnum):
    INPUT = "input"
    INTERRUPT = "interrupt"
    ANSWER = "answer"
    CONFIGURE = "configure"


class InputCommand(msgspec.Struct, forbid_unknown_fields=True):
    """A prompt: text, or the Messages API's content blocks. The same id twice is the same input, which runs once."""

    input_id: Annotated[
        str,
        Meta(
            description="A UUID in its canonical, lower-case form.",
            extra_json_schema={"format": "uuid", "maxLength": 36, "pattern": UUID_PATTERN},
        ),
    ]
    content: (
        Annotated[str, Meta(description="Not blank.", extra_json_schema={"pattern": r"\S"})]
        | Annotated[list[dict[str, Any]], Meta(extra_json_schema={"minItems": 1})]
    )


class InterruptCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Stop the turn."""


class AnswerCommand(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The answer to an approval, a question or a plan. The first one counts."""

    approval_id: Annotated[str, Meta(description="From `session.approval_requested`.")]
    decision: Annotated[Decision, Meta(extra_json_schema={"enum": [Decision.ALLOW, Decision.DENY]})]
    message: Annotated[str | None, Meta(description="Told to Claude with a denial.")] = None
    answers: Annotated[dict[str, Any] | None, Meta(description="For a question: its text -> the answer.")] = None
    updated_input: Annotated[dict[str, Any] | None, Meta(description="The tool is given this instead.")] = None
    updated_permissions: Annotated[
        list[dict[str, Any]] | None, Meta(description="Those of `suggestions` that hold from now on.")
    ] = None


type _Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**40)]


class ConfigureCommand(msgspec.Struct, forbid_unknown_fields=True):
    """Settings that a running session takes at once; what is left out stays as it is, null is the default. Sent by
    whoever reconciles when the agent's report and the resource's spec differ.
    """

    model: str | msgspec.UnsetType | None = msgspec.UNSET
    permission_mode: Literal["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    approval_timeout: _Seconds | msgspec.UnsetType = msgspec.UNSET
    turn_timeout: _Seconds | msgspec.UnsetType | None = msgspec.UNSET
    on_interrupted: Literal["continue", "wait"] | msgspec.UnsetType = msgspec.UNSET
    budget_usd: Annotated[float, msgspec.Meta(ge=0)] | msgspec.UnsetType | None = msgspec.UNSET


type Command = InputCommand | InterruptCommand | AnswerCommand | ConfigureCommand

#: What each kind has as its payload.
COMMANDS: dict[str, type[Command]] = {
    CommandKind.INPUT: InputCommand,
    CommandKind.INTERRUPT: InterruptCommand,
    CommandKind.ANSWER: AnswerCommand,
    CommandKind.CONFIGURE: ConfigureCommand,
}


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


class CommandEnvelope(msgspec.Struct, forbid_unknown_fields=True):
    """The message's body; its kind is the subject's last token, repeated here so that a stored row explains itself."""

    id: str
    kind: str
    session_id: str
    timestamp: str
    payload: msgspec.Raw


def encode_command(command: Command, command_id: str, session_id: str, timestamp: str) -> bytes:
    kind = next(kind for kind, payload in COMMANDS.items() if isinstance(command, payload))
    return encode_json(CommandEnvelope(command_id, kind, session_id, timestamp, msgspec.Raw(encode_json(command))))


def decode_command(kind: str, body: bytes) -> tuple[CommandEnvelope, Command]:
    """Raises ValueError, with what is wrong, for a body that is no command of that kind."""
    try:
        envelope = msgspec.json.decode(body, type=CommandEnvelope)
        if envelope.kind != kind or kind not in COMMANDS:
            raise ValueError(f"kind {envelope.kind!r} came on the subject of {kind!r}")
        command = msgspec.json.decode(envelope.payload, type=COMMANDS[kind])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(msgspec.to_builtins(command))
    if isinstance(command, InputCommand):
        _check_input(command)
    if isinstance(command, AnswerCommand) and command.decision is Decision.CANCELLED:
        raise ValueError("decision must be allow or deny")
    return envelope, command


def _check_depth(value: object) -> None:
    level, depth = [value], 0
    while level := [child for node in level for child in _children(node)]:
        if (depth := depth + 1) > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)


def _children(node: object) -> list[Any]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _check_input(command: InputCommand) -> None:
    if str(UUID(command.input_id)) != command.input_id:
        raise ValueError(f"input_id is no canonical UUID: {command.input_id!r}")
    if not command.content or (isinstance(command.content, str) and not command.content.strip()):
        raise ValueError("content is empty")


def input_id(session_id: str, idempotency_key: str) -> str:
    """The id of an input, from its idempotency key: the same key twice is the same input."""
    return str(uuid5(UUID(session_id), f"input:{idempotency_key}"))


def query_input_id(session_id: str) -> str:
    """The id of the input that `spec.query` is."""
    return str(uuid5(UUID(session_id), "query"))
