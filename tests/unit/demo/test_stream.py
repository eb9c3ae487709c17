"""The bytes of an answer, as the Messages API has them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore_local.demo.reply import Content, Ending, Refusal, Reply, Text, ToolUse
from jelmore_local.demo.stream import Chunk, Head, document, events, refusal

HEAD = Head("claude-opus-5-5", "n0", 12)
BASH = ToolUse("Bash", {"command": "echo 'ü'", "timeout": 1})


def parsed(chunks: list[Chunk]) -> list[dict[str, Any]]:
    """The data of server-sent events, each checked for its name."""
    found = []
    for chunk in chunks:
        first, second, *rest = chunk.data.decode().split("\n")
        data = json.loads(second.removeprefix("data: "))
        assert first == f"event: {data['type']}"
        assert rest == ["", ""]
        found.append(data)
    return found


def kinds(reply: Reply) -> list[str]:
    return [event["type"] for event in parsed(list(events(reply, HEAD)))]


def assembled(stream: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client puts together from a stream."""
    message: dict[str, Any] = stream[0]["message"]
    for event in stream:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append({**event["content_block"], "pieces": []})
            case "content_block_delta":
                delta = event["delta"]
                message["content"][event["index"]]["pieces"].append(delta.get("text", delta.get("partial_json")))
            case "message_delta":
                message |= event["delta"]
                message["usage"] = event["usage"]
    for block in message["content"]:
        whole = "".join(block.pop("pieces"))
        block.update({"text": whole} if block["type"] == "text" else {"input": json.loads(whole)})
    return message


def test_the_order_of_events() -> None:
    assert kinds(Reply((Text("Hi."), BASH))) == [
        "message_start",
        "ping",
        *["content_block_start", "content_block_delta", "content_block_stop"],
        *["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"],
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize(("contents", "stop"), [((Text("a"),), "end_turn"), ((Text("a"), BASH), "tool_use")])
def test_stop_reason_and_usage(contents: tuple[Content, ...], stop: str) -> None:
    stream = parsed(list(events(Reply(contents), HEAD)))
    start, last = stream[0]["message"], stream[-2]
    assert (start["stop_reason"], start["content"], start["usage"]["input_tokens"]) == (None, [], 12)
    assert last["delta"] == {"stop_reason": stop, "stop_sequence": None}
    assert last["usage"]["output_tokens"] >= 1


_contents = st.one_of(
    st.builds(Text, st.text()),
    st.builds(ToolUse, st.just("Bash"), st.dictionaries(st.text(), st.text() | st.integers())),
)


@given(st.lists(_contents, min_size=1, max_size=3), st.none() | st.integers(1, 9))
def test_a_stream_carries_what_the_document_does(contents: list[Content], deltas: int | None) -> None:
    reply = Reply(tuple(contents), deltas=deltas)
    [whole] = document(reply, HEAD)
    assert assembled(parsed(list(events(reply, HEAD)))) == json.loads(whole.data)


@given(st.text(max_size=50), st.integers(1, 9))
def test_as_many_deltas_as_asked_for(text: str, deltas: int) -> None:
    assert kinds(Reply((Text(text),), deltas=deltas)).count("content_block_delta") == deltas


def test_a_large_content_comes_in_few_deltas() -> None:
    assert kinds(Reply((Text("x" * 1_000_000),))).count("content_block_delta") == 200


def test_each_delta_waits() -> None:
    reply = Reply((Text("abc"),), deltas=3, delay_s=0.5)
    assert [chunk.pause_s for chunk in events(reply, HEAD)] == [0, 0, 0, 0.5, 0.5, 0.5, 0, 0, 0]
    assert [chunk.pause_s for chunk in document(reply, HEAD)] == [1.5]


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.STALL])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_broken_stream_ends_after_its_deltas(ending: Ending, after: int) -> None:
    seen = kinds(Reply((Text("abc"),), deltas=3, ending=ending, ending_after=after))
    opened = ["content_block_start"] if after else []
    assert seen == ["message_start", "ping", *opened, *["content_block_delta"] * after]


def test_half_a_document_is_no_json() -> None:
    [half] = document(Reply((Text("abc"),), ending=Ending.CUT), HEAD)
    with pytest.raises(json.JSONDecodeError):
        json.loads(half.data)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (529, "overloaded_error"), (503, "api_error")]
)
def test_a_refusal(status: int, kind: str) -> None:
    body, headers = refusal(Refusal(status, "No.", 1.5), "n0")
    assert body == {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "req_n0"}
    assert headers == {"request-id": "req_n0", "retry-after": "1.5"}
