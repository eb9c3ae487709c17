import base64
import json

import pytest

from jelmore.blobs import blob_of, with_payload
from jelmore.events import CLASSES, Event, Output, OutputDelta, Ready, StateChanged, read_frame
from jelmore_contract.events import LIVE_OUTPUT, Encoding, EventType, reader_text

TIME = "2025-08-06T12:00:00.000Z"


def frame(event_type: str, payload: bytes, encoding: Encoding | None = None) -> str:
    return reader_text(7, "e1", event_type, "s1", TIME, encoding, payload.decode())


def event(event_type: str, payload: bytes, encoding: Encoding | None = None) -> Event:
    came = read_frame(frame(event_type, payload, encoding))
    assert isinstance(came, Event)
    return came


def test_there_is_a_class_for_each_type() -> None:
    assert CLASSES.keys() == {*EventType, LIVE_OUTPUT}


def test_an_event_is_of_the_class_of_its_type() -> None:
    came = event("session.state_changed", b'{"from": "active", "to":"idle"}')
    assert isinstance(came, StateChanged)
    assert (came.seq, came.id, came.session_id, came.payload["to"]) == (7, "e1", "s1", "idle")
    assert came.time.isoformat() == "2025-08-06T12:00:00+00:00"
    assert came.text == frame("session.state_changed", b'{"from": "active", "to":"idle"}')
    assert came.body["payload"] == {"from": "active", "to": "idle"}
    assert type(event("session.of_a_later_version", b"{}")) is Event
    delta = read_frame('{"id":"d","event_type":"session.output_delta","session_id":"s","timestamp":"t","payload":{}}')
    assert isinstance(delta, OutputDelta)
    assert delta.seq == 0


def test_what_is_no_event() -> None:
    assert read_frame('{"event_type": "stream.ready", "seq": 3}') == Ready(3)
    assert read_frame('{"event_type": "stream.reply", "ok": true}') is None
    for text in ("no json", "[]", "{}", '{"event_type": 1}', '{"event_type": "session.output"}'):
        with pytest.raises(ValueError, match=r"."):
            read_frame(text)


LINES = [b'{"a": "\\ud800\xc3\xa9"}', b'{"payload":1,"encoding":"blob"}', b"NaN", b"\xff", b"not json", b""]


@pytest.mark.parametrize("line", LINES)
def test_a_line_comes_out_as_it_went_in_also_through_a_blob(line: bytes) -> None:
    plain = line[:1] == b"{"
    payload = line if plain else json.dumps({"base64": base64.b64encode(line).decode()}).encode()
    direct = event("session.output", payload, None if plain else Encoding.BASE64)
    assert direct.content == line
    assert with_payload(direct, b"x") is direct
    blob = event("session.output", b'{"blob":"b-1","size":9}', Encoding.BLOB)
    assert (blob_of(direct), blob_of(blob)) == (None, "b-1")
    whole = with_payload(blob, line)
    assert isinstance(whole, Output)
    assert (whole.content, whole.seq) == (line, 7)
    assert json.loads(whole.text) == whole.body
    assert whole.encoding == (None if plain else "base64")
