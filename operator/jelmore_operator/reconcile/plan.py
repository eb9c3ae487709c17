"""What is to be done about one session, in order. Abstract: an actuator knows what a runtime is made of."""

from dataclasses import dataclass
from enum import StrEnum

from jelmore_contract.agent_config import Live
from jelmore_contract.resource import SessionStatus
from jelmore_contract.states import SessionState


class StopReason(StrEnum):
    DELETED = "deleted"
    SUSPENDED = "suspended"
    HIBERNATED = "hibernated"
    SHUTDOWN = "shutdown"
    FAILED = "failed"
    MAX_LIFETIME = "max_lifetime"


@dataclass(frozen=True, slots=True)
class StartRuntime:
    """Starts launcher and agent after whatever is left of an earlier runtime is gone: never two CLIs on one
    transcript.

    fresh: the session did not just crash, so earlier starts are forgotten.
    """

    fresh: bool


@dataclass(frozen=True, slots=True)
class RestartAgent:
    """Starts the agent anew; the launcher and its CLI go on. crashed: it was found dead, which counts for
    the back-off.
    """

    crashed: bool


@dataclass(frozen=True, slots=True)
class CloneWorkspace:
    """Begins to clone the workspace's repository, after whatever is left of an earlier attempt is gone.

    fresh: as in `StartRuntime`.
    """

    fresh: bool


@dataclass(frozen=True, slots=True)
class StopRuntime:
    """Asks the launcher to end the CLI cleanly; the agent publishes the rest and ends by itself."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class KillRuntime:
    """Ends at once whatever is left of the runtime. The session's disk stays."""


@dataclass(frozen=True, slots=True)
class SetEgress:
    """Makes what the session may reach on the network what its spec says; nothing of it where not all is granted."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Asks the agent to stop the turn, so that it ends with its result."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Tells the agent the settings that it goes by from now on."""

    live: Live


@dataclass(frozen=True, slots=True)
class DeleteResource:
    """Asks for the session's deletion, as a person would."""


@dataclass(frozen=True, slots=True)
class PublishCreated:
    """`session.created`, if it is not in the log."""


@dataclass(frozen=True, slots=True)
class PublishSpecChanged:
    """`session.spec_changed`, with spec and labels as they are."""


@dataclass(frozen=True, slots=True)
class PublishState:
    """`session.state_changed` into `to`, if the last one says otherwise."""

    to: SessionState
    message: str | None = None


@dataclass(frozen=True, slots=True)
class PublishTerminated:
    """`session.terminated`, if it is not in the log."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class WriteStatus:
    status: SessionStatus


@dataclass(frozen=True, slots=True)
class CloseCommands:
    """Takes away where the session's agents get their commands from."""


@dataclass(frozen=True, slots=True)
class ForgetResource:
    """Removes what the session owns beside its log, then lets the resource go."""


type Action = (
    StartRuntime
    | RestartAgent
    | CloneWorkspace
    | StopRuntime
    | KillRuntime
    | SetEgress
    | Interrupt
    | Configure
    | DeleteResource
    | PublishCreated
    | PublishSpecChanged
    | PublishState
    | PublishTerminated
    | WriteStatus
    | CloseCommands
    | ForgetResource
)


@dataclass(frozen=True, slots=True)
class Plan:
    """requeue: look again after this many seconds, whatever happens until then; None: when something
    changes. insist: an action that fails keeps those after it from being done, until it does not; without,
    they are done all the same.
    """

    actions: tuple[Action, ...] = ()
    requeue: float | None = None
    insist: bool = True

    @property
    def unfinished(self) -> bool:
        """Whether another pass comes after it: always after a change, unless that took the resource away."""
        return bool(self.actions) and not isinstance(self.actions[-1], ForgetResource)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one policy decides. state: None leaves it to the agent's report. failed_anew: it fails now, and
    was not failed before (or was tried again since). reason: one CamelCase word for the condition Ready.
    insist: as in `Plan`. ends: the status tells of the end only after all else is done.
    """

    reason: str
    actions: tuple[Action, ...] = ()
    state: SessionState | None = None
    message: str | None = None
    requeue: float | None = None
    failed_anew: bool = False
    insist: bool = True
    ends: bool = False
