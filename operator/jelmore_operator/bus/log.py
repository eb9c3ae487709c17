"""The log as whoever reconciles needs it: the last report and the last input of each session, and the few
events that it tells itself.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from jelmore_contract.bus import EXPECTED_LAST_SUBJECT_SEQUENCE, WRONG_LAST_SEQUENCE
from jelmore_contract.commands import CommandKind
from jelmore_contract.events import (
    Created,
    EventType,
    StateChanged,
    Terminated,
    decode_event,
    encode_event,
    encode_json,
    rfc3339,
)
from jelmore_contract.report import ORIGIN, Report
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.states import SessionState
from jelmore_contract.subjects import (
    ALL_REPORTS,
    STREAM,
    SessionKey,
    event_subject,
    parse_subject,
    report_subject,
    session_commands,
)
from jelmore_operator.bus.follower import Feed, Follower
from jelmore_operator.reconcile.observed import SeenInput, SeenReport
from jelmore_operator.reconcile.plan import PublishCreated, PublishState, PublishTerminated

#: Seconds until an agent that did not confirm a command gets it again. It holds one at a time: one that was handed to
#: an agent which then died must not be overtaken by a later one.
_ACK_WAIT = 2.0
_MOST_UNCONFIRMED = 1
#: Seconds between looks at a session whose report changed in figures only.
FIGURES_EVERY = 1.0


class Log:
    """`on_change(key, soon)`: `soon` is false where only the figures of a report changed."""

    def __init__(self, on_change: Callable[[SessionKey, bool], None]) -> None:
        self._on_change = on_change
        self._reports: dict[SessionKey, SeenReport] = {}
        self._inputs: dict[SessionKey, SeenInput] = {}
        self._announced: set[SessionKey] = set()
        inputs = Feed(STREAM, (f"jelmore.command.*.*.{CommandKind.INPUT}",), headers_only=True)
        self.followers = (
            Follower(Feed(STREAM, (ALL_REPORTS,)), self._take_report, lambda _: None),
            Follower(inputs, self._take_input, lambda _: None),
        )

    def report(self, key: SessionKey) -> SeenReport | None:
        return self._reports.get(key)

    def last_input(self, key: SessionKey) -> SeenInput | None:
        return self._inputs.get(key)

    def announced(self, key: SessionKey) -> bool:
        return key in self._announced

    def forget(self, key: SessionKey) -> None:
        self._announced.discard(key)
        self._reports.pop(key, None)
        self._inputs.pop(key, None)

    async def read_report(self, client: Client, key: SessionKey) -> SeenReport | None:
        """The last report as it is in the stream now: what an agent said last may be on its way here still
        when its end is seen.
        """
        try:
            message = await client.jetstream().get_last_msg(STREAM, report_subject(key))
        except nats.js.errors.NotFoundError:
            return self._reports.get(key)
        if message.seq is not None and message.data is not None:
            self._keep(key, SeenReport(_report(message.data), message.seq))
        return self._reports.get(key)

    async def report_now(self, client: Client, resource: ClaudeSession, running: bool) -> SeenReport | None:
        """The last report, as it is in the stream where no agent is seen `running` that would send another. A
        resource that is being deleted waits for no bus: without one, what is known has to do.
        """
        key = key_of(resource)
        if running:
            return self.report(key)
        try:
            return await self.read_report(client, key)
        except (nats.errors.Error, OSError):
            if resource.metadata.deletion_timestamp is None:
                raise
            return self.report(key)

    def _take_report(self, message: Msg) -> None:
        key = parse_subject(message.subject).key
        seen = SeenReport(_report(message.data), message.metadata.sequence.stream)
        before = self._reports.get(key)
        if self._keep(key, seen):
            self._on_change(key, before is None or _words(before.report) != _words(seen.report))

    def _keep(self, key: SessionKey, seen: SeenReport) -> bool:
        before = self._reports.get(key)
        if before is not None and before.seq >= seen.seq:
            return False
        self._reports[key] = seen
        return True

    def _take_input(self, message: Msg) -> None:
        key = parse_subject(message.subject).key
        metadata = message.metadata
        before = self._inputs.get(key)
        if before is None or before.seq < metadata.sequence.stream:
            self._inputs[key] = SeenInput(metadata.sequence.stream, metadata.timestamp)
            self._on_change(key, True)

    # What whoever reconciles tells

    async def tell(
        self, client: Client, resource: ClaudeSession, what: PublishCreated | PublishState | PublishTerminated
    ) -> None:
        """Publishes what is not in the log yet."""
        match what:
            case PublishCreated():
                await self._created(client, resource)
                self._announced.add(key_of(resource))
            case PublishState(to=to, message=message):
                await self._state_changed(client, resource, to, message)
            case PublishTerminated(reason=reason):
                await self._once(client, resource, EventType.TERMINATED, Terminated(reason=reason))

    async def _created(self, client: Client, resource: ClaudeSession) -> None:
        spec = resource.spec.model_dump(mode="json", by_alias=True)
        metadata = resource.metadata
        payload: Created = {"name": metadata.name, "namespace": metadata.namespace, "spec": spec}
        await self._once(client, resource, EventType.CREATED, payload)

    async def _state_changed(
        self, client: Client, resource: ClaudeSession, to: SessionState, message: str | None
    ) -> None:
        """Does nothing where the last change in the log leads there already. Raises APIError when another
        change came in between.
        """
        subject = event_subject(key_of(resource), EventType.STATE_CHANGED)
        seq, last = await _last_change(client, subject)
        if last == to:
            return
        payload: StateChanged = {"from": last or resource.status.state, "to": to}
        if message is not None:
            payload["message"] = message
        event_id = f"{resource.session_id}/{seq}/{EventType.STATE_CHANGED}"
        await _publish(client, resource, EventType.STATE_CHANGED, event_id, payload, seq)

    async def _once(self, client: Client, resource: ClaudeSession, event_type: EventType, payload: object) -> None:
        event_id = f"{resource.session_id}/{event_type}"
        try:
            await _publish(client, resource, event_type, event_id, payload, 0)
        except nats.js.errors.APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise

    # Commands

    async def add_consumer(self, client: Client, key: SessionKey) -> None:
        """Where the session's agent gets its commands; nothing happens where it is there already."""
        config = ConsumerConfig(
            durable_name=key.session_id,
            filter_subject=session_commands(key),
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT,
            max_ack_pending=_MOST_UNCONFIRMED,
        )
        await client.jetstream().add_consumer(STREAM, config)

    async def delete_consumer(self, client: Client, key: SessionKey) -> None:
        with suppress(nats.js.errors.NotFoundError):
            await client.jetstream().delete_consumer(STREAM, key.session_id)


def key_of(resource: ClaudeSession) -> SessionKey:
    return SessionKey(resource.metadata.namespace, resource.session_id)


def _report(body: bytes) -> Report:
    """Raises ValueError for what is no report."""
    try:
        return msgspec.json.decode(body, type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a report: {error}") from error


def _words(report: Report) -> Report:
    """The report without what changes with every line: its place and the time of the last activity."""
    return msgspec.structs.replace(report, cursor=ORIGIN, last_activity=None)


async def _last_change(client: Client, subject: str) -> tuple[int, str | None]:
    try:
        message = await client.jetstream().get_last_msg(STREAM, subject)
    except nats.js.errors.NotFoundError:
        return 0, None
    body: dict[str, Any] = json.loads(decode_event(message.data or b"").payload)
    return message.seq or 0, body["to"]


async def _publish(
    client: Client, resource: ClaudeSession, event_type: EventType, event_id: str, payload: object, last_seq: int
) -> None:
    now = rfc3339(datetime.now(UTC))
    event = encode_event(event_id, event_type, resource.session_id, now, encode_json(payload))
    subject = event_subject(key_of(resource), event_type)
    headers = {EXPECTED_LAST_SUBJECT_SEQUENCE: str(last_seq)}
    await client.jetstream().publish(subject, event, headers=headers)
