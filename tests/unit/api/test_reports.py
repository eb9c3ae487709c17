"""What an agent finds in a stream that was made anew."""

import json

from jelmore_api.persister.reports import moved_on
from jelmore_contract.events import EventType, encode_json
from jelmore_contract.report import Cursor, Report
from jelmore_contract.states import Phase, SessionState

REPORT = Report(Cursor(2, 500, 1, 30, 1), 2, Phase.READY, SessionState.IDLE, open_inputs=1)


def cursor(report: bytes) -> list[int]:
    found: list[int] = json.loads(report)["cursor"]
    return found


def test_the_cursor_is_at_the_last_stored_line() -> None:
    later = Cursor(2, 700, 0, 0, 0).event_id("s", EventType.OUTPUT)
    earlier = Cursor(2, 400, 0, 0, 0).event_id("s", EventType.OUTPUT)
    body = encode_json(REPORT).decode()
    assert cursor(moved_on(body, later)) == [2, 700, 0, 0, 0]
    assert cursor(moved_on(body, earlier)) == cursor(moved_on(body, None)) == [2, 500, 1, 30, 1]
    assert json.loads(moved_on(body, later))["openInputs"] == 1


def test_what_cannot_be_read_is_put_back_as_it_is() -> None:
    assert moved_on("{}", None) == b"{}"
    assert moved_on(encode_json(REPORT).decode(), "an id of another writer") == encode_json(REPORT)
