"""The log as whoever reconciles sees it: the last report and the last input of each session."""

import logging
from collections.abc import Callable

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from jelmore_contract.agent_config import Live
from jelmore_contract.commands import CommandKind, decode_command
from jelmore_contract.report import ORIGIN, Report
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.subjects import (
    ALL_REPORTS,
    STREAM,
    SessionKey,
    parse_subject,
    report_subject,
)
from jelmore_operator.bus.connection import Bus
from jelmore_operator.bus.follower import Feed, Follower
from jelmore_operator.reconcile.observed import SeenConfigure, SeenInput, SeenReport

logger = logging.getLogger(__name__)

#: Seconds between looks at a session whose report changed in figures only.
FIGURES_EVERY = 1.0


class Log:
    """`on_change(key, soon)`: `soon` is false where only the figures of a report changed."""

    def __init__(self, bus: Bus, on_change: Callable[[SessionKey, bool], None]) -> None:
        self._bus = bus
        self._on_change = on_change
        self._reports: dict[SessionKey, SeenReport] = {}
        self._inputs: dict[SessionKey, SeenInput] = {}
        self._configures: dict[SessionKey, SeenConfigure] = {}
        inputs = Feed(STREAM, (f"jelmore.command.*.*.{CommandKind.INPUT}",), headers_only=True)
        configures = Feed(STREAM, (f"jelmore.command.*.*.{CommandKind.CONFIGURE}",))
        self.followers = (
            Follower(Feed(STREAM, (ALL_REPORTS,)), self._take_report, lambda _: None),
            Follower(inputs, self._take_input, lambda _: None),
            Follower(configures, self._take_configure, lambda _: None),
        )

    @property
    def synced(self) -> bool:
        """Whether all last messages have been seen, once."""
        return all(follower.synced.is_set() for follower in self.followers)

    def report(self, key: SessionKey) -> SeenReport | None:
        return self._reports.get(key)

    def last_input(self, key: SessionKey) -> SeenInput | None:
        return self._inputs.get(key)

    def last_configure(self, key: SessionKey) -> SeenConfigure | None:
        return self._configures.get(key)

    def forget(self, key: SessionKey) -> None:
        self._configures.pop(key, None)
        self._reports.pop(key, None)
        self._inputs.pop(key, None)

    async def read_report(self, key: SessionKey) -> SeenReport | None:
        """The last report as it is in the stream now: what an agent said last may be on its way here still
        when its end is seen.
        """
        try:
            message = await self._bus.jetstream.get_last_msg(STREAM, report_subject(key))
        except nats.js.errors.NotFoundError:
            return self._reports.get(key)
        try:
            self._keep(key, SeenReport(_report(message.data or b""), message.seq or 0))
        except ValueError as error:
            logger.error("not understood, left aside: %s: %s", report_subject(key), error)
        return self._reports.get(key)

    async def report_now(self, resource: ClaudeSession, follow: bool) -> SeenReport | None:
        """The last report: the last that came by itself where that will do (`follow`: an agent runs that would send
        another, or none ever did), else as it is in the stream now. A resource that is being deleted waits for no bus:
        without one, what is known has to do.
        """
        key = key_of(resource)
        if follow:
            return self.report(key)
        try:
            return await self.read_report(key)
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

    def keep_configure(self, key: SessionKey, seen: SeenConfigure) -> None:
        before = self._configures.get(key)
        if before is None or before.seq < seen.seq:
            self._configures[key] = seen
            self._on_change(key, True)

    def _take_configure(self, message: Msg) -> None:
        _, command = decode_command(CommandKind.CONFIGURE, message.data)
        settings = msgspec.to_builtins(command)
        live = Live(**settings) if settings.keys() == set(Live.__struct_fields__) else None
        self.keep_configure(parse_subject(message.subject).key, SeenConfigure(message.metadata.sequence.stream, live))

    def _take_input(self, message: Msg) -> None:
        key = parse_subject(message.subject).key
        metadata = message.metadata
        before = self._inputs.get(key)
        if before is None or before.seq < metadata.sequence.stream:
            self._inputs[key] = SeenInput(metadata.sequence.stream, metadata.timestamp)
            self._on_change(key, True)


def key_of(resource: ClaudeSession) -> SessionKey:
    return SessionKey(resource.metadata.namespace, resource.session_id)


def _report(body: bytes) -> Report:
    """Raises ValueError for what is no report."""
    try:
        return msgspec.json.decode(body, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a report: {error}") from error


def _words(report: Report) -> Report:
    """The report without what changes with every line: its place and the time of the last activity."""
    return msgspec.structs.replace(report, cursor=ORIGIN, last_activity=None)
