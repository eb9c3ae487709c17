"""Commands to sessions: messages in the log, each stored once however often a client sends it."""

import json
import logging
from typing import Any, NamedTuple
from uuid import uuid4

from jelmore_api.bus import Bus, Stored
from jelmore_api.clock import utc_now
from jelmore_api.errors import Problem
from jelmore_api.resources.store import ResourceStore
from jelmore_api.sessions.opening import open_resource
from jelmore_api.sessions.repository import SessionRepository
from jelmore_api.sessions.schemas import InputView, SendInput
from jelmore_contract.commands import (
    MAX_INPUT_BYTES,
    AnswerCommand,
    Command,
    CommandKind,
    InputCommand,
    InterruptCommand,
    decode_command,
    encode_command,
    input_id,
)
from jelmore_contract.errors import ProblemType
from jelmore_contract.events import EventType, decode_event, encode_json, rfc3339
from jelmore_contract.states import InputState
from jelmore_contract.subjects import SessionKey, command_subject, event_subject

_KINDS: dict[type[Command], CommandKind] = {
    InputCommand: CommandKind.INPUT,
    InterruptCommand: CommandKind.INTERRUPT,
    AnswerCommand: CommandKind.ANSWER,
}
_log = logging.getLogger("jelmore.api.commands")


class _Known(NamedTuple):
    """An input that was sent before; content: None where only its states are known."""

    state: InputState
    content: object


class Commands:
    """Every method raises Problem: for a session that is not there or has ended (404, 409), or while NATS is away."""

    def __init__(self, bus: Bus, store: ResourceStore, repository: SessionRepository) -> None:
        self._bus = bus
        self._store = store
        self._repository = repository

    async def open_session(self, session_id: str) -> SessionKey:
        """The key of a session that takes commands."""
        resource = (await open_resource(self._store, self._repository, session_id)).resource
        return SessionKey(resource.metadata.namespace, session_id)

    async def send_input(self, session_id: str, asked: SendInput) -> InputView:
        """An input with a key that was used before is that input, and tells how far it has come."""
        content = asked.text if asked.text is not None else asked.content
        assert content is not None
        if len(encode_json(content)) > MAX_INPUT_BYTES:
            detail = f"The input takes more than {MAX_INPUT_BYTES} bytes of JSON. Put long text into a file."
            raise Problem(ProblemType.TOO_LARGE, detail)
        key = await self.open_session(session_id)
        if asked.idempotency_key is None:
            name = str(uuid4())
            await self.publish(key, InputCommand(name, content), name)
            return InputView(input_id=name, state=InputState.QUEUED)
        name = input_id(session_id, asked.idempotency_key)
        position, known = await self._projected(session_id, name)
        if known is None:
            stored = await self.publish(key, InputCommand(name, content), name)
            if not stored.duplicate:
                return InputView(input_id=name, state=InputState.QUEUED)
            first = await self.stored_command(stored.seq, CommandKind.INPUT)
            known = _Known(InputState.QUEUED, first.content if isinstance(first, InputCommand) else None)
            position = max(position, stored.seq)
        if known.content is not None and known.content != content:
            detail = "This idempotency_key was used for another input of this session: use a new key for a new input."
            raise Problem(ProblemType.CONFLICT, detail)
        return InputView(input_id=name, state=await self._state_after(key, name, known.state, position))

    async def interrupt(self, session_id: str) -> None:
        key = await self.open_session(session_id)
        await self.publish(key, InterruptCommand(), str(uuid4()))

    async def publish(self, key: SessionKey, command: Command, command_id: str) -> Stored:
        """Stores the command under its id. `duplicate`: a command of this session with this id is in the log."""
        kind = _KINDS[type(command)]
        subject = command_subject(key, kind)
        body = encode_command(command, command_id, key.session_id, rfc3339(utc_now()))
        stored = await self._bus.publish(subject, body, f"{key.session_id}/{kind}/{command_id}")
        if stored.duplicate:
            # The ids of messages are the whole stream's: an event of some session could have taken this one.
            first = await self._bus.message(stored.seq)
            if first is None or first.subject != subject:
                _log.warning("an id of a command was taken by another message; stored without it")
                return await self._bus.publish(subject, body, None)
        return stored

    async def stored_command(self, seq: int, kind: CommandKind) -> Command | None:
        """The command at a sequence of the log; None where it is not there any more."""
        message = await self._bus.message(seq)
        return decode_command(kind, message.data)[1] if message and message.data else None

    async def _projected(self, session_id: str, name: str) -> tuple[int, _Known | None]:
        """How far the projections are, read first, and what they say of an input.

        Without PostgreSQL nothing is known: then the log's window for message ids keeps a command from being stored
        twice, and past it the agent, which knows every input by its id, keeps it from running twice.
        """
        try:
            position = await self._repository.position()
            row = await self._repository.input(session_id, name)
        except Problem:
            return 0, None
        if row is None:
            return position, None
        content = json.loads(row["content"]) if row["content"] is not None else None
        return max(position, row["seq"]), _Known(InputState(row["state"]), content)

    async def _state_after(self, key: SessionKey, name: str, state: InputState, seq: int) -> InputState:
        """The state, moved on by what the log tells after `seq`: the projections are some milliseconds behind."""
        async for message in self._bus.messages(event_subject(key, EventType.INPUT), seq):
            payload: dict[str, Any] = json.loads(decode_event(message.data or b"").payload)
            if payload.get("input_id") == name:
                state = InputState(payload["state"])
        return state
