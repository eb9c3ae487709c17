"""The pinned SDK's own parser as an oracle: what it takes a recorded line for is what the agent takes it for."""

import pytest
from claude_agent_sdk import ResultMessage, SystemMessage
from claude_agent_sdk._internal.message_parser import parse_message

from jelmore_agent.fold import Fold
from jelmore_agent.protocol import parse
from jelmore_agent.spool import LineRecord
from tests.support.frames import recorded_lines, recordings


@pytest.mark.parametrize("name", recordings())
def test_the_sdk_reads_the_same_out_of_a_recording(name: str) -> None:
    fold, end = Fold("s"), 0
    results, cost, before = 0, 0.0, 0.0
    for raw in recorded_lines(name):
        end += len(raw) + 1
        fold.apply(LineRecord(1, end, raw))
        line = parse(raw)
        assert line.frame is not None
        if line.type.startswith("control_"):
            continue  # handled by the SDK before its parser
        message = parse_message(line.frame)
        if isinstance(message, ResultMessage):
            results += 1
            counted = message.total_cost_usd or 0.0
            cost, before = cost + counted - (before if counted >= before else 0.0), counted
            assert fold.usage.cost_usd == pytest.approx(cost)
            assert message.session_id == fold.claude_session_id
        elif isinstance(message, SystemMessage):
            assert message.subtype == line.subtype
    assert fold.usage.turns == fold.turns == results
