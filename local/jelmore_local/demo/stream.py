"""An answer as bytes of the Messages API: server-sent events, or one JSON document if no stream is asked for.

Shapes: https://docs.claude.com/en/docs/build-with-claude/streaming and .../api/errors.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .reply import Content, Ending, Json, Refusal, Reply, Text

#: Unless asked for: a piece of a content has at least so many characters, a content at most so many pieces.
_PIECE_CHARS = 24
_PIECES = 200

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Head:
    """What a response has besides its contents. `nonce` makes its ids; `input_tokens` is an estimate."""

    model: str
    nonce: str
    input_tokens: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes to send, and the seconds to wait before."""

    data: bytes
    pause_s: float = 0.0


def tokens(text_bytes: int) -> int:
    """Roughly how many tokens a text of so many bytes has: four bytes each."""
    return text_bytes // 4 + 1


def events(reply: Reply, head: Head) -> Iterator[Chunk]:
    """The stream of a reply, up to where it is cut or stalls: after a delta, or before the first content."""
    deltas_left = reply.ending_after
    for kind, chunk in _events(reply, head):
        broken = reply.ending is not Ending.COMPLETE and deltas_left == 0
        if broken and kind not in ("message_start", "ping"):
            return
        deltas_left -= kind == "content_block_delta"
        yield chunk


def document(reply: Reply, head: Head) -> Iterator[Chunk]:
    """The same reply where no stream was asked for; half of it where it is broken off."""
    contents = [_block(head, index, content) for index, content in enumerate(reply.contents)]
    body = _message(head, contents, _stop_reason(reply), _output_tokens(reply))
    data = json.dumps(body).encode()
    if reply.ending is not Ending.COMPLETE:
        data = data[: len(data) // 2]
    pieces = sum(1 for content in reply.contents for _ in _pieces(content, reply.deltas))
    yield Chunk(data, pieces * reply.delay_s)


def refusal(answer: Refusal, nonce: str) -> tuple[dict[str, Json], dict[str, str]]:
    """Body and headers of an error."""
    kind = _ERROR_TYPES.get(answer.status, "api_error")
    headers = {"request-id": f"req_{nonce}"}
    if answer.retry_after_s is not None:
        headers["retry-after"] = f"{answer.retry_after_s:g}"
    return {
        "type": "error",
        "error": {"type": kind, "message": answer.message},
        "request_id": f"req_{nonce}",
    }, headers


def _events(reply: Reply, head: Head) -> Iterator[tuple[str, Chunk]]:
    """Every event of the whole stream, with its type."""
    yield _event("message_start", message=_message(head, [], None, 1))
    yield _event("ping")
    for index, content in enumerate(reply.contents):
        opened = _block(head, index, content)
        if isinstance(content, Text):
            opened["text"] = ""
        else:
            opened["input"] = {}
        yield _event("content_block_start", index=index, content_block=opened)
        for piece in _pieces(content, reply.deltas):
            delta: dict[str, Json] = (
                {"type": "text_delta", "text": piece}
                if isinstance(content, Text)
                else {"type": "input_json_delta", "partial_json": piece}
            )
            yield _event("content_block_delta", reply.delay_s, index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop: dict[str, Json] = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage=_usage(head, _output_tokens(reply)))
    yield _event("message_stop")


def _event(kind: str, pause_s: float = 0.0, **fields: Json) -> tuple[str, Chunk]:
    data = json.dumps({"type": kind, **fields})
    return kind, Chunk(f"event: {kind}\ndata: {data}\n\n".encode(), pause_s)


def _message(head: Head, contents: Sequence[Json], stop_reason: str | None, output_tokens: int) -> dict[str, Json]:
    return {
        "id": f"msg_{head.nonce}",
        "type": "message",
        "role": "assistant",
        "model": head.model,
        "content": list(contents),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(head, output_tokens),
    }


def _usage(head: Head, output_tokens: int) -> dict[str, Json]:
    return {
        "input_tokens": head.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _block(head: Head, index: int, content: Content) -> dict[str, Json]:
    if isinstance(content, Text):
        return {"type": "text", "text": content.text}
    return {
        "type": "tool_use",
        "id": f"toolu_{head.nonce}{index:02d}",
        "name": content.name,
        "input": content.input,
    }


def _stop_reason(reply: Reply) -> str:
    return "end_turn" if all(isinstance(content, Text) for content in reply.contents) else "tool_use"


def _output_tokens(reply: Reply) -> int:
    return sum(tokens(len(_whole(content))) for content in reply.contents)


def _whole(content: Content) -> str:
    return content.text if isinstance(content, Text) else json.dumps(content.input)


def _pieces(content: Content, count: int | None) -> Iterator[str]:
    """A content cut into `count` pieces, even where some are empty, or into pieces of a natural size."""
    whole = _whole(content)
    if count is None:
        size = max(_PIECE_CHARS, -(-len(whole) // _PIECES))
        yield from (whole[start : start + size] for start in range(0, len(whole), size))
        return
    bounds = [len(whole) * index // count for index in range(count + 1)]
    yield from (whole[start:end] for start, end in pairwise(bounds))
