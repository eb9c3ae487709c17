"""What the agent does next, as a table: what the disk says, what the launcher says, the time -> actions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

import msgspec
import pytest

from jelmore_agent import facts
from jelmore_agent.fold import Fold
from jelmore_agent.next_action import CloseStdin, Confirm, Finish, Note, Signal, Start, WakeAt, Write
from jelmore_agent.spool import FactRecord, LineRecord
from jelmore_agent.steering import MOST_FAILURES, decide
from jelmore_agent.view import Exit, View
from jelmore_contract.agent_config import AgentConfig

NOW = datetime(2025, 8, 6, 12, 0, 0, tzinfo=UTC)
TIME = "2025-08-06T12:00:00.000Z"
INIT = b'{"type":"control_response","response":{"subtype":"success","request_id":"jelmore-initialize-1","response":{}}}'
RUNNING = b'{"type":"system","subtype":"session_state_changed","state":"running"}'
ASK = b'{"type":"control_request","request_id":"r1","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{}}}'
HOOK = b'{"type":"control_request","request_id":"h1","request":{"subtype":"hook_callback"}}'

CONFIG = AgentConfig(
    session_id="550e8400-e29b-41d4-a716-446655440000",
    namespace="default",
    nats_url="",
    nats_credentials="",
    folder="",
    socket="",
    nonce_file="",
    workspace="",
    claude="",
    claude_config_dir="",
    claude_tmp="",
    approval_timeout=60,
)


def fold(*things: facts.Fact | bytes) -> Fold:
    made, end = Fold(CONFIG.session_id), 0
    for number, thing in enumerate(things):
        if isinstance(thing, bytes):
            end += len(thing) + 1
            made.apply(LineRecord(1, end, thing))
        else:
            made.apply(FactRecord(1, end, number + 1, thing))
    return made


INIT_2 = INIT.replace(b"initialize-1", b"initialize-2")
BEGUN = b'{"type":"command_lifecycle","command_uuid":"i1","state":"started"}'
OVER = b'{"type":"result","subtype":"success","is_error":false,"result":"r","total_cost_usd":0}'
KNOWN = BEGUN.replace(b"started", b"completed")

STARTED = facts.RunStarted(TIME, 1)
INPUT = facts.QueryTaken(TIME, "i1", "hello")
WRITTEN_TO = facts.CommandTaken(TIME, 7, "input", {"input_id": "i2", "content": "again"})
ASKED_END = facts.RunExited(TIME, code=0, asked=True)
LOST = facts.RunExited(TIME, signal=9)
POOR = facts.ConfigTaken(TIME, msgspec.structs.replace(CONFIG.live, budget_usd=1.0))
POOR_START = facts.RunStarted(TIME, 1, budget_usd=1.0)
COST = b'{"type":"result","subtype":"error_max_budget_usd","is_error":true,"total_cost_usd":1.25}'
RAISED = facts.CommandTaken(TIME, 9, "configure", {"budget_usd": 2.0})
TIMED = facts.ConfigTaken(TIME, msgspec.structs.replace(CONFIG.live, turn_timeout=60))
WAITS = b'{"type":"system","subtype":"session_state_changed","state":"requires_action"}'
SEEN = facts.ApprovalSeen(TIME, "r1")
WORKED_40 = (
    facts.TurnClock("2025-08-06T11:00:00.000Z", True),
    facts.TurnClock("2025-08-06T11:00:40.000Z", False),
)


def view(**fields: object) -> View:
    return View(**({"connected": True} | fields))  # type: ignore[arg-type]  # fields of View by name


def shown(action: object) -> str:
    match action:
        case Write():
            return f"write {action.token}"
        case Note():
            asked = isinstance(action.fact, facts.RunExited) and action.fact.asked
            return f"note {type(action.fact).__name__}{' asked' if asked else ''}"
        case Start():
            return f"start {action.run}{' again' if action.again else ''}"
        case Signal():
            return f"signal {action.number}"
        case Confirm():
            return f"confirm {action.run}"
        case WakeAt():
            return f"wake +{(action.moment - NOW).total_seconds():.0f}"
        case _:
            return type(action).__name__


ALIVE = view(running=1)
CASES: list[tuple[str, Callable[[], Fold], View, list[str]]] = [
    ("no launcher yet", fold, View(), []),
    ("a first start", fold, view(), ["start 1"]),
    ("noted, never started", lambda: fold(STARTED), view(), ["start 1 again"]),
    ("asked for, not answered yet", lambda: fold(STARTED), view(starting=1), []),
    ("could not be started", lambda: fold(STARTED), view(starting=1, refused={1: "no"}), ["note RunExited"]),
    ("alive, not initialised", lambda: fold(INPUT, STARTED), ALIVE, ["write jelmore-initialize-1"]),
    (
        "ready: what waits is written",
        lambda: fold(INPUT, STARTED, INIT),
        ALIVE,
        ["write jelmore-initialize-1", "write i1"],
    ),
    (
        "a turn was cut: what came after its input waits until it is over",
        lambda: fold(INPUT, STARTED, INIT, RUNNING, BEGUN, WRITTEN_TO, LOST, facts.RunStarted(TIME, 2), INIT_2),
        view(running=2, in_flight={"jelmore-initialize-2"}),
        ["write i1"],
    ),
    (
        "and is written then",
        lambda: fold(INPUT, STARTED, INIT, RUNNING, BEGUN, WRITTEN_TO, LOST, facts.RunStarted(TIME, 2), INIT_2, OVER),
        view(running=2, in_flight={"jelmore-initialize-2", "i1"}),
        ["write i2"],
    ),
    (
        "a turn was cut, and the CLI does not go on with it by itself",
        lambda: fold(INPUT, STARTED, INIT, RUNNING, BEGUN, LOST, facts.RunStarted(TIME, 2), INIT_2, KNOWN),
        view(running=2, in_flight={"jelmore-initialize-2", "i1"}),
        [f"write {uuid5(NAMESPACE_OID, f'{CONFIG.session_id}/2/continue')}"],
    ),
    ("on its way", lambda: fold(INPUT, STARTED, INIT), view(running=1, in_flight={"jelmore-initialize-1", "i1"}), []),
    (
        "written in this run",
        lambda: fold(INPUT, STARTED, INIT, facts.Written(TIME, "i1")),
        ALIVE,
        ["write jelmore-initialize-1"],
    ),
    (
        "a request that nobody here serves is refused",
        lambda: fold(STARTED, INIT, HOOK),
        ALIVE,
        ["write jelmore-initialize-1", "write refusal:h1"],
    ),
    ("an approval is first seen", lambda: fold(STARTED, INIT, ASK), View(), ["note ApprovalSeen"]),
    ("its time runs", lambda: fold(STARTED, INIT, ASK, facts.ApprovalSeen(TIME, "r1")), View(), ["wake +60"]),
    (
        "its time is over, even without a launcher",
        lambda: fold(STARTED, INIT, ASK, facts.ApprovalSeen("2025-08-06T11:59:00.000Z", "r1")),
        View(),
        ["note ApprovalTimedOut"],
    ),
    (
        "an answer is written",
        lambda: fold(
            STARTED, INIT, ASK, facts.CommandTaken(TIME, 1, "answer", {"approval_id": "r1", "decision": "allow"})
        ),
        ALIVE,
        ["write jelmore-initialize-1", "write answer:r1"],
    ),
    (
        "an interrupt is written",
        lambda: fold(STARTED, INIT, facts.CommandTaken(TIME, 4, "interrupt", {})),
        ALIVE,
        ["write jelmore-initialize-1", "write jelmore-interrupt-4"],
    ),
    ("an exit is noted", lambda: fold(STARTED), view(exits={1: Exit(1, 0, None, "")}), ["note RunExited"]),
    ("and confirmed", lambda: fold(STARTED, LOST), view(exits={1: Exit(1, None, 9, "")}), ["confirm 1", "start 2"]),
    ("launcher and CLI are lost", lambda: fold(STARTED, INIT), view(), ["note RunExited"]),
    ("after the first loss at once", lambda: fold(STARTED, LOST), view(), ["start 2"]),
    ("after the third not", lambda: fold(STARTED, LOST, LOST, LOST), view(), ["wake +2"]),
    ("and then no more", lambda: fold(STARTED, *[LOST] * MOST_FAILURES), view(), ["note GivenUp"]),
    ("given up", lambda: fold(STARTED, LOST, facts.GivenUp(TIME, "no")), view(), ["Finish"]),
    (
        "given up, and written to again",
        lambda: fold(STARTED, *[LOST] * MOST_FAILURES, facts.GivenUp(TIME, "no"), WRITTEN_TO),
        view(),
        ["start 2"],
    ),
    (
        "given up, and started anew",
        lambda: fold(STARTED, LOST, facts.GivenUp(TIME, "no")),
        view(fresh=True),
        ["note Retried"],
    ),
    (
        "and tried again",
        lambda: fold(STARTED, *[LOST] * MOST_FAILURES, facts.GivenUp(TIME, "no"), facts.Retried(TIME)),
        view(fresh=True),
        ["start 2"],
    ),
    (
        "over its budget: inputs wait",
        lambda: fold(POOR, INPUT, POOR_START, INIT, COST),
        ALIVE,
        ["write jelmore-initialize-1"],
    ),
    (
        "its budget was raised: another CLI takes over first",
        lambda: fold(POOR, INPUT, POOR_START, INIT, COST, RAISED),
        ALIVE,
        ["CloseStdin", "wake +5"],
    ),
    (
        "which is not hurried",
        lambda: fold(POOR, INPUT, POOR_START, INIT, COST, RAISED),
        view(running=1, closed_since=NOW - timedelta(seconds=4)),
        ["wake +1"],
    ),
    (
        "but ended, if it does not go",
        lambda: fold(POOR, INPUT, POOR_START, INIT, COST, RAISED),
        view(running=1, closed_since=NOW - timedelta(seconds=5)),
        ["signal 15", "wake +5"],
    ),
    (
        "and its end counts as asked for",
        lambda: fold(POOR, INPUT, POOR_START, INIT, COST, RAISED),
        view(closed_since=NOW, exits={1: Exit(1, 1, None, "")}),
        ["note RunExited asked"],
    ),
    (
        "not in a turn",
        lambda: fold(POOR, POOR_START, INIT, RUNNING, RAISED),
        ALIVE,
        ["write jelmore-initialize-1"],
    ),
    (
        "a turn's time is counted",
        lambda: fold(TIMED, STARTED, INIT, RUNNING),
        ALIVE,
        ["note TurnClock", "write jelmore-initialize-1"],
    ),
    (
        "and runs",
        lambda: fold(TIMED, STARTED, INIT, RUNNING, facts.TurnClock(TIME, True)),
        ALIVE,
        ["wake +60", "write jelmore-initialize-1"],
    ),
    (
        "it stands still while somebody is waited for",
        lambda: fold(TIMED, STARTED, INIT, RUNNING, facts.TurnClock(TIME, True), WAITS, ASK, SEEN),
        ALIVE,
        ["wake +60", "note TurnClock", "write jelmore-initialize-1"],
    ),
    (
        "what was worked before counts",
        lambda: fold(TIMED, STARTED, INIT, RUNNING, *WORKED_40, facts.TurnClock(TIME, True)),
        ALIVE,
        ["wake +20", "write jelmore-initialize-1"],
    ),
    (
        "it is over",
        lambda: fold(TIMED, STARTED, INIT, RUNNING, facts.TurnClock("2025-08-06T11:59:00.000Z", True)),
        ALIVE,
        ["note TurnTimedOut", "write jelmore-initialize-1"],
    ),
    (
        "and the turn is interrupted, once",
        lambda: fold(TIMED, STARTED, INIT, RUNNING, facts.TurnClock(TIME, True), facts.TurnTimedOut(TIME, "m")),
        ALIVE,
        ["write jelmore-initialize-1", f"write jelmore-turn_timeout-{TIME}"],
    ),
    (
        "stopping, idle: stdin is closed",
        lambda: fold(STARTED, INIT),
        view(running=1, stopping_since=NOW),
        ["CloseStdin", "wake +10"],
    ),
    (
        "stopping in a turn: an interrupt may be on its way",
        lambda: fold(STARTED, INIT, RUNNING),
        view(running=1, stopping_since=NOW, in_flight={"jelmore-initialize-1"}),
        ["wake +0"],
    ),
    (
        "stopping in a turn that nobody interrupts: cut, to be continued",
        lambda: fold(STARTED, INIT, RUNNING),
        view(running=1, stopping_since=NOW - timedelta(seconds=0.5)),
        ["signal 15", "wake +14"],
    ),
    (
        "stopping, the turn interrupted: its result is waited for",
        lambda: fold(STARTED, INIT, RUNNING, facts.CommandTaken(TIME, 4, "interrupt", {})),
        view(running=1, stopping_since=NOW),
        ["write jelmore-initialize-1", "write jelmore-interrupt-4", "wake +5"],
    ),
    (
        "stopping for too long",
        lambda: fold(STARTED, INIT, RUNNING),
        view(running=1, stopping_since=NOW - timedelta(seconds=15)),
        ["signal 9"],
    ),
    (
        "stopped",
        lambda: fold(STARTED, INIT, ASKED_END),
        view(stopping_since=NOW),
        ["note Ended", "Finish"],
    ),
    (
        "stopped, and the launcher gone before its exit was heard of",
        lambda: fold(STARTED, INIT),
        View(stopping_since=NOW, disconnected_since=NOW - timedelta(seconds=4)),
        ["note RunExited asked"],
    ),
    (
        "it may come back, or not",
        lambda: fold(STARTED, INIT),
        View(stopping_since=NOW, disconnected_since=NOW),
        ["wake +3"],
    ),
    (
        "it is not waited for by an agent that is told to end as well",
        lambda: fold(STARTED, INIT),
        View(stopping_since=NOW, disconnected_since=NOW, leaving=True),
        ["note RunExited asked"],
    ),
    (
        "an agent that is told to end ends the session that is stopping",
        lambda: fold(STARTED, INIT),
        view(running=1, stopping_since=NOW, leaving=True),
        ["CloseStdin", "wake +10"],
    ),
    (
        "and leaves any other to the next agent",
        lambda: fold(INPUT, STARTED, INIT),
        view(running=1, leaving=True),
        ["Leave"],
    ),
    ("its launcher being there or not", lambda: fold(STARTED, INIT), View(leaving=True), ["Leave"]),
]


@pytest.mark.parametrize(("name", "made", "seen", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_is_done_next(name: str, made: Callable[[], Fold], seen: View, expected: list[str]) -> None:
    assert [shown(action) for action in decide(CONFIG, made(), seen, NOW)] == expected


def test_a_finished_session_says_goodbye() -> None:
    gone = fold(STARTED, INIT, ASKED_END, facts.Ended(TIME))
    assert list(decide(CONFIG, gone, view(stopping_since=NOW), NOW)) == [Finish()]
    assert CloseStdin() == CloseStdin()
