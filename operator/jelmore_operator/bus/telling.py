"""What whoever reconciles tells: the few events of a session that no agent can, and where agents get their commands."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import nats.errors
import nats.js.errors
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import ValidationError

from jelmore_contract.agent_config import Live
from jelmore_contract.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, WRONG_LAST_SEQUENCE, consumer_name
from jelmore_contract.commands import CommandKind, ConfigureCommand, InterruptCommand, encode_command
from jelmore_contract.events import EventType, decode_event, encode_event, encode_json, rfc3339
from jelmore_contract.payloads import Created, SpecChanged, StateChanged, Terminated
from jelmore_contract.resource import ClaudeSession, SessionSpec, told_spec
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import STREAM, SessionKey, command_subject, event_subject, session_commands
from jelmore_operator.bus.connection import Bus
from jelmore_operator.bus.log import key_of
from jelmore_operator.reconcile.plan import PublishCreated, PublishSpecChanged, PublishState, PublishTerminated
from jelmore_operator.reconcile.policies.description import digest

#: Seconds until an agent that did not confirm a command gets it again. It holds one at a time: one that was handed to
#: an agent which then died must not be overtaken by a later one.
_ACK_WAIT = 2.0
_MOST_UNCONFIRMED = 1


#: What tells of a session's spec and labels, the newer one first.
_DESCRIPTIONS = (EventType.SPEC_CHANGED, EventType.CREATED)


class _Told(NamedTuple):
    """seq: of the last `session.spec_changed`, 0 without one. digest: of the spec and labels that the log has."""

    seq: int
    digest: str


class Teller:
    """Every call raises errors of `nats`; ConnectionError while there is no bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._announced: set[SessionKey] = set()
        self._told: dict[SessionKey, _Told] = {}

    def announced(self, key: SessionKey) -> bool:
        """Whether `session.created` is known to be in the log."""
        return key in self._announced

    def forget(self, key: SessionKey) -> None:
        self._announced.discard(key)
        self._told.pop(key, None)

    async def told(self, resource: ClaudeSession) -> str | None:
        """The digest of spec and labels as the log has them: read once, then known. None for a session that is new,
        and where the log cannot be read while the session is being deleted, which waits for no bus.
        """
        key = key_of(resource)
        if key not in self._told:
            if resource.status.observed_generation == 0 and key not in self._announced:
                return None
            try:
                await self._read_description(key)
            except (nats.errors.Error, OSError):
                if resource.metadata.deletion_timestamp is None:
                    raise
        return self._told[key].digest if key in self._told else None

    async def _read_description(self, key: SessionKey) -> None:
        for event_type in _DESCRIPTIONS:
            with suppress(nats.js.errors.NotFoundError):
                message = await self._bus.jetstream.get_last_msg(STREAM, event_subject(key, event_type))
                seq = (message.seq or 0) if event_type is EventType.SPEC_CHANGED else 0
                self._told[key] = _Told(seq, _digest(message.data or b""))
                return

    async def tell(
        self, resource: ClaudeSession, what: PublishCreated | PublishSpecChanged | PublishState | PublishTerminated
    ) -> None:
        """Publishes what is not in the log yet."""
        match what:
            case PublishCreated():
                await self._created(resource)
                self._announced.add(key_of(resource))
            case PublishSpecChanged():
                await self._spec_changed(resource)
            case PublishState(to=to, message=message):
                await self._state_changed(resource, to, message)
            case PublishTerminated(reason=reason):
                await self._once(resource, EventType.TERMINATED, Terminated(reason=reason))

    async def _created(self, resource: ClaudeSession) -> None:
        spec = told_spec(resource.spec).model_dump(mode="json", by_alias=True)
        metadata = resource.metadata
        payload: Created = {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "spec": spec,
            "labels": metadata.labels,
        }
        if await self._once(resource, EventType.CREATED, payload):
            self._told[key_of(resource)] = _Told(0, digest(resource.spec, metadata.labels))

    async def _spec_changed(self, resource: ClaudeSession) -> None:
        """Raises APIError when another one came in between."""
        key, metadata = key_of(resource), resource.metadata
        last = self._told.pop(key).seq
        payload: SpecChanged = {
            "generation": metadata.generation,
            "spec": told_spec(resource.spec).model_dump(mode="json", by_alias=True),
            "labels": metadata.labels,
        }
        event_id = f"{resource.session_id}/{last}/{EventType.SPEC_CHANGED}"
        seq = await self._publish(resource, EventType.SPEC_CHANGED, event_id, payload, last)
        self._told[key] = _Told(seq, digest(resource.spec, metadata.labels))

    async def _state_changed(self, resource: ClaudeSession, to: SessionState, message: str | None) -> None:
        """Does nothing where the last change in the log leads there already. Raises APIError when another
        change came in between.
        """
        subject = event_subject(key_of(resource), EventType.STATE_CHANGED)
        seq, last = await self._last_change(subject)
        if last == to:
            return
        before = SessionState(last) if last in set(SessionState) else resource.status.state
        payload: StateChanged = {"from": before, "to": to}
        if message is not None:
            payload["message"] = message
        event_id = f"{resource.session_id}/{seq}/{EventType.STATE_CHANGED}"
        await self._publish(resource, EventType.STATE_CHANGED, event_id, payload, seq)

    async def _once(self, resource: ClaudeSession, event_type: EventType, payload: object) -> bool:
        """Whether it was not in the log yet."""
        event_id = f"{resource.session_id}/{event_type}"
        try:
            await self._publish(resource, event_type, event_id, payload, 0)
        except nats.js.errors.APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            return False
        return True

    async def _last_change(self, subject: str) -> tuple[int, str | None]:
        try:
            message = await self._bus.jetstream.get_last_msg(STREAM, subject)
        except nats.js.errors.NotFoundError:
            return 0, None
        body: dict[str, Any] = json.loads(decode_event(message.data or b"").payload)
        return message.seq or 0, body["to"]

    async def _publish(
        self, resource: ClaudeSession, event_type: EventType, event_id: str, payload: object, last_seq: int
    ) -> int:
        """The event's sequence."""
        # The resource says when it was made, and whoever lists sessions goes by that before and after this is told.
        when = resource.metadata.creation_timestamp if event_type is EventType.CREATED else datetime.now(UTC)
        event = encode_event(event_id, event_type, resource.session_id, rfc3339(when), encode_json(payload))
        subject = event_subject(key_of(resource), event_type)
        headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(last_seq)}
        return (await self._bus.jetstream.publish(subject, event, headers=headers)).seq

    async def interrupt(self, key: SessionKey) -> None:
        """Asks the agent to stop the turn."""
        await self._command(key, InterruptCommand(), {})

    async def configure(self, key: SessionKey, live: Live, last_seq: int) -> int:
        """The command's sequence. last_seq: of the last `configure`. Raises APIError when another came meanwhile."""
        command = ConfigureCommand(**msgspec.structs.asdict(live))
        return await self._command(key, command, {EXPECTED_LAST_SUBJECT_SEQUENCE: str(last_seq)})

    async def _command(
        self, key: SessionKey, command: InterruptCommand | ConfigureCommand, headers: dict[str, str]
    ) -> int:
        kind = CommandKind.INTERRUPT if isinstance(command, InterruptCommand) else CommandKind.CONFIGURE
        body = encode_command(command, str(uuid4()), key.session_id, rfc3339(datetime.now(UTC)))
        return (await self._bus.jetstream.publish(command_subject(key, kind), body, headers=headers)).seq

    async def add_consumer(self, key: SessionKey) -> None:
        """Where the session's agent gets its commands; nothing happens where it is there already."""
        config = ConsumerConfig(
            durable_name=consumer_name(key),
            filter_subject=session_commands(key),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT,
            max_ack_pending=_MOST_UNCONFIRMED,
        )
        await self._bus.jetstream.add_consumer(STREAM, config)

    async def delete_consumer(self, key: SessionKey) -> None:
        with suppress(nats.js.errors.NotFoundError):
            await self._bus.jetstream.delete_consumer(STREAM, consumer_name(key))


def _digest(event: bytes) -> str:
    """Of what an event tells of spec and labels; "" for what today's fields cannot say, so that it is told anew."""
    payload: dict[str, Any] = json.loads(decode_event(event).payload)
    try:
        return digest(SessionSpec.model_validate(payload["spec"]), payload.get("labels", {}))
    except ValidationError:
        return ""
