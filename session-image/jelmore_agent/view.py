"""What the launcher says, and what this life of the agent has done: beside the fold, what decisions rest on."""

from dataclasses import dataclass, field
from datetime import datetime

from jelmore_agent.link.events import Disconnected, Exited, Hello, LinkEvent, Refused, Started, Stopping


@dataclass(frozen=True, slots=True)
class Exit:
    """How the launcher saw a run end."""

    run: int
    code: int | None
    signal: int | None
    stderr: str


@dataclass(slots=True)
class View:
    """Not stored: a new connection to the launcher says all of it again."""

    connected: bool = False
    running: int | None = None  # the run whose CLI is alive
    exits: dict[int, Exit] = field(default_factory=dict)  # seen and not confirmed
    refused: dict[int, str] = field(default_factory=dict)  # runs that could not be started
    stopping_since: datetime | None = None
    disconnected_since: datetime | None = None
    starting: int | None = None  # the run that was asked for on this connection
    in_flight: set[str] = field(default_factory=set)  # tokens of lines on their way to the CLI
    closed_since: datetime | None = None  # stdin's end was asked for
    signalled: int | None = None
    leaving: bool = False  # this agent was told to end
    fresh: bool = False  # the launcher has not run anything yet

    def hear(self, said: LinkEvent, now: datetime) -> None:
        match said:
            case Hello():
                self.connection_lost(now)
                self.connected, self.running = True, said.run.number if said.run else None
                self.exits = {seen.run: _exit(seen) for seen in said.exits}
                self.fresh = not said.last_run
                self._stopping(said.stopping, now)
            case Disconnected():
                self.connection_lost(now)
            case Started():
                self.running = said.run
            case Refused(token=None):
                self.refused[said.run] = said.message
            case Exited():
                self.running = None
                self.exits[said.run] = _exit(said)
            case Stopping():
                self._stopping(True, now)

    def start_asked(self, run: int) -> None:
        self.starting, self.fresh = run, False
        self._forget_lines()

    def connection_lost(self, now: datetime) -> None:
        self.connected, self.running, self.starting = False, None, None
        self.disconnected_since = now
        self._forget_lines()

    def _forget_lines(self) -> None:
        self.in_flight.clear()
        self.closed_since, self.signalled = None, None

    def _stopping(self, stopping: bool, now: datetime) -> None:
        if not stopping:
            self.stopping_since = None
        elif self.stopping_since is None:
            self.stopping_since = now


def _exit(seen: Exited) -> Exit:
    return Exit(seen.run, seen.code, seen.signal, seen.stderr)
