"""What is seen of one session at one moment: all that a decision may depend on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from jelmore_contract.agent_config import Live
from jelmore_contract.report import Report
from jelmore_contract.resource import ClaudeSession
from jelmore_contract.states import Phase


@dataclass(frozen=True, slots=True)
class SeenReport:
    """The agent's last report and its place in the stream."""

    report: Report
    seq: int


@dataclass(frozen=True, slots=True)
class SeenInput:
    """The last `input` command of the session: its place in the stream, and when the stream took it."""

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SeenConfigure:
    """The last `configure` command of the session; live: what it says, None where that is not all of it."""

    seq: int
    live: Live | None


type ObstacleKind = Literal["credentials", "image", "scheduling", "workspace", "other"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a runtime that was started from running, while the platform keeps trying by itself: it goes away
    without a touch. reason: one CamelCase word. message: what is wrong and what to do. final: trying again does not
    help, until somebody has done that.
    """

    kind: ObstacleKind
    reason: str
    message: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs of the session, and what is remembered of its last starts (in a record beside it, so that it
    outlives a restart of whoever reconciles).

    agent_stale: the agent was started with another configuration than it would get now. stopping_since: when
    the launcher was asked to end. starts: of launcher or agent since the session last ran well, oldest first.
    report_seq, run_before: the session's last report, and its run, when the runtime was started; a later one
    is this runtime's own. spooled: the session's disk holds what a CLI or an agent has left to be published.
    logs: where a person finds the logs, for messages. pod: its name, where there is one.
    outdated: an obstacle keeps it from running, and it would be made otherwise now.
    """

    launcher: bool = False
    agent: bool = False
    agent_stale: bool = False
    stopping_since: datetime | None = None
    starts: tuple[datetime, ...] = ()
    report_seq: int = 0
    run_before: int = 0
    spooled: bool = False
    logs: str = "its logs"
    pod: str | None = None
    obstacle: Obstacle | None = None
    outdated: bool = False

    @property
    def alive(self) -> bool:
        return self.launcher or self.agent


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone that the workspace still needs, done by a process of its own. problem: how the last attempt failed, as
    long as nothing has asked for another. starts: of attempts since the session last failed, oldest first. logs: as in
    `Runtime`.
    """

    running: bool = False
    problem: str | None = None
    starts: tuple[datetime, ...] = ()
    logs: str = "its logs"


@dataclass(frozen=True, slots=True)
class Observed:
    """shutdown_by: the environment of all sessions is going away, at the latest then. The problems are sentences that
    say what is wrong and what to do. clone: None where nothing has to be cloned before the first run, or not by whoever
    reconciles. egress_outdated: what the session may reach on the network is not what it should be. durable: the
    session's disk outlives its processes and their host's restart. kept: what of the session stays when it is deleted,
    as a sentence. own_identity: its agent is on the bus as a user of its own. announced: `session.created` is known to
    be in the log. told: the digest of spec and labels as the log has them; None where it does not have them yet, or
    that is not known.
    """

    resource: ClaudeSession
    runtime: Runtime = Runtime()
    report: SeenReport | None = None
    last_input: SeenInput | None = None
    last_configure: SeenConfigure | None = None
    shutdown_by: datetime | None = None
    workspace_problem: str | None = None
    clone: Clone | None = None
    credentials_problem: str | None = None
    egress_problem: str | None = None
    egress_outdated: bool = False
    durable: bool = True
    kept: str | None = None
    own_identity: bool = True
    announced: bool = False
    told: str | None = None

    @property
    def cloning(self) -> str | None:
        """What is being cloned, as a sentence."""
        git = self.resource.spec.workspace.git
        return f"Cloning {git.url}." if git is not None and self.clone is not None else None

    @property
    def own_report(self) -> Report | None:
        """The last report, unless it is the last word of an earlier runtime: that says nothing of the one
        that came after it.
        """
        seen = self.report
        if seen is None:
            return None
        last_word = seen.report.phase in (Phase.ENDED, Phase.FAILED)
        return None if last_word and seen.seq <= self.runtime.report_seq else seen.report

    @property
    def drained(self) -> bool:
        """Whether all that the session's disk holds is in the log: no process and no disk may be removed
        before.
        """
        report = self.own_report
        return not self.runtime.spooled or (report is not None and report.drained)
