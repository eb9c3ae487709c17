"""The payload of each event: its fields, what they mean, and the form in which the AsyncAPI document shows them."""

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from jelmore_contract.errors import ErrorReason
from jelmore_contract.events import EventType
from jelmore_contract.states import Decider, Decision, InputState, SessionState, WaitingFor

type Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2025-08-06T12:00:00.000Z"])]
type Turn = Annotated[int, Meta(ge=0, description="Number of the turn that it belongs to, or of the last one.")]


class Created(TypedDict):
    """The session is there. The first event of each session, by whoever reconciles."""

    name: str
    namespace: str
    spec: Annotated[
        dict[str, Any],
        Meta(description="The resource's `spec` as accepted, in camelCase, without secrets of `mcpServers`."),
    ]
    labels: Annotated[dict[str, str], Meta(description="The resource's labels.")]


class SpecChanged(TypedDict):
    """What the session is from here on: whole, not what changed of it. By whoever reconciles."""

    generation: Annotated[int, Meta(ge=0, description="`metadata.generation` of the resource.")]
    spec: Annotated[
        dict[str, Any], Meta(description="The whole `spec` as it is now, in camelCase, told as in `session.created`.")
    ]
    labels: Annotated[dict[str, str], Meta(description="All labels as they are now.")]


StateChanged = TypedDict(
    "StateChanged",
    {
        "from": Annotated[SessionState | None, Meta(description="Null where nothing was told before.")],
        "to": SessionState,
        "waiting_for": NotRequired[Annotated[WaitingFor, Meta(description="With `to: waiting_input`.")]],
        "message": NotRequired[Annotated[str, Meta(description="Why, and what to do.")]],
        "run": NotRequired[Annotated[int, Meta(ge=0, description="How many times Claude Code was started.")]],
    },
)
StateChanged.__doc__ = """The session's state is another. By the agent; by whoever reconciles while there is none."""

DirectoryChanged = TypedDict(
    "DirectoryChanged",
    {"from": Annotated[str | None, Meta(description="Null at first.")], "to": str, "turn": Turn},
)
DirectoryChanged.__doc__ = """Claude works in another directory."""


class FileModified(TypedDict):
    """A file of the workspace is another, whoever changed it. What `.gitignore` names is left out."""

    path: Annotated[str, Meta(description="Relative to the workspace.")]
    change: Annotated[str, Meta(extra_json_schema={"enum": ["created", "modified", "deleted"]})]
    size: Annotated[int | None, Meta(description="Bytes; null once deleted.")]
    turn: Turn


GitActivity = TypedDict(
    "GitActivity",
    {
        "operation": Annotated[
            str,
            Meta(
                description="commit, checkout, branch, merge, rebase, reset, pull, push, fetch, tag, stash, …",
                examples=["commit"],
            ),
        ],
        "branch": Annotated[str | None, Meta(description="Null while no branch is checked out.")],
        "from": Annotated[str | None, Meta(description="The commit before.")],
        "to": Annotated[str | None, Meta(description="The commit after.")],
        "message": Annotated[str, Meta(description="A commit's first line, or what git noted.")],
        "repository": Annotated[str, Meta(description='Relative to the workspace; "" for the workspace itself.')],
        "turn": Turn,
    },
)
GitActivity.__doc__ = """Something happened in a repository of the workspace, by whatever program."""


class Input(TypedDict):
    """How far an input has come: queued, delivered, started, then completed, failed or cancelled. Only forward."""

    input_id: Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
    state: InputState
    reason: NotRequired[Annotated[str, Meta(description="Why it failed.")]]


class ApprovalRequested(TypedDict):
    """Claude waits for an answer: may a tool be used, a question, or a plan."""

    approval_id: Annotated[str, Meta(description="For the answer.")]
    kind: WaitingFor
    tool_name: str
    input: Annotated[dict[str, Any], Meta(description="What the tool is given; for a question, its options.")]
    description: NotRequired[str]
    suggestions: NotRequired[Annotated[list[Any], Meta(description="Rules that would allow it from now on.")]]
    tool_use_id: NotRequired[str]


class ApprovalResolved(TypedDict):
    """An approval ended. The first answer counts."""

    approval_id: str
    decision: Decision
    by: Decider
    message: NotRequired[str]


class TurnCompleted(TypedDict):
    """Claude's turn is over. With a subagent or a background task another may follow by itself."""

    turn: Annotated[int, Meta(ge=1, description="Turns are numbered from 1.")]
    usage: Annotated[dict[str, Any], Meta(description="Tokens of this turn, as the model's API counts them.")]
    cost_usd: Annotated[float, Meta(ge=0, description="US dollars that the session took so far, as the CLI reckons.")]
    result: Annotated[str | None, Meta(description="Claude's last words; null for a turn that was interrupted.")]
    is_error: bool
    subtype: Annotated[str, Meta(description="The CLI's word for how it ended.", examples=["success"])]
    input_ids: NotRequired[Annotated[list[str], Meta(description="The inputs that it answers.")]]


class Diff(TypedDict):
    """What the workspace's files are, against the session's start; after each turn that changed something."""

    turn: Annotated[int, Meta(ge=0, description="The turn that it was made after.")]
    files: Annotated[int, Meta(ge=0, description="Files that differ.")]
    insertions: Annotated[int, Meta(ge=0, description="Lines.")]
    deletions: Annotated[int, Meta(ge=0, description="Lines.")]
    truncated: Annotated[
        bool,
        Meta(description="Patch and figures leave something out: it was too large or took too long."),
    ]
    patch: Annotated[str, Meta(description="In git's format; `git apply` takes it where nothing is left out.")]


class Quota(TypedDict):
    """What the account's limit says (sessions with a personal account's token alone)."""

    status: Annotated[str, Meta(description="The CLI's word.", examples=["allowed", "rejected"])]
    resets_at: Annotated[Moment | None, Meta(description="When the limit is lifted.")]


class Error(TypedDict):
    """Something went wrong; the session goes on unless its state says otherwise."""

    reason: ErrorReason
    message: str


class Terminated(TypedDict):
    """The session has ended for good. Its last event."""

    reason: Annotated[str, Meta(examples=["deleted", "max_lifetime"])]


#: The payload of each type; `session.output` is the CLI's own line and has none of ours.
PAYLOADS: dict[EventType, type] = {
    EventType.CREATED: Created,
    EventType.SPEC_CHANGED: SpecChanged,
    EventType.STATE_CHANGED: StateChanged,
    EventType.DIRECTORY_CHANGED: DirectoryChanged,
    EventType.FILE_MODIFIED: FileModified,
    EventType.GIT_ACTIVITY: GitActivity,
    EventType.INPUT: Input,
    EventType.APPROVAL_REQUESTED: ApprovalRequested,
    EventType.APPROVAL_RESOLVED: ApprovalResolved,
    EventType.TURN_COMPLETED: TurnCompleted,
    EventType.DIFF: Diff,
    EventType.QUOTA: Quota,
    EventType.ERROR: Error,
    EventType.TERMINATED: Terminated,
}
