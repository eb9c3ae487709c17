"""An answer as bytes of the Messages API: server-sent events, or one JSON document if no stream is asked for.

Shapes: https://docs.claude.com/en/docs/build-with-claude/streaming and .../api/errors.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

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
    """The stream of a reply, up to where it is cut or stalls."""
    if reply.ending is Ending.COMPLETE:
        yield from _all_events(reply, head)
        return
    sent = 0
    for chunk, is_delta in _events(reply, head):
        if is_delta and sent == reply.ending_after:
            return
        sent += is_delta
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


def _all_events(reply: Reply, head: Head) -> Iterator[Chunk]:
    yield from (chunk for chunk, _ in _events(reply, head))


def _events(reply: Reply, head: Head) -> Iterator[tuple[Chunk, bool]]:
    """Every event of a complete stream, and whether it is a delta of a content."""
    yield _event("message_start", message=_message(head, [], None, 1)), False
    yield _event("ping"), False
    for index, content in enumerate(reply.contents):
        opened = _block(head, index, content)
        if isinstance(content, Text):
            opened["text"] = ""
        else:
            opened["input"] = {}
        yield _event("content_block_start", index=index, content_block=opened), False
        for piece in _pieces(content, reply.deltas):
            delta: dict[str, Json] = (
                {"type": "text_delta", "text": piece}
                if isinstance(content, Text)
                else {"type": "input_json_delta", "partial_json": piece}
            )
            chunk = _event("content_block_delta", index=index, delta=delta)
            yield Chunk(chunk.data, reply.delay_s), True
        yield _event("content_block_stop", index=index), False
    stop: dict[str, Json] = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage=_usage(head, _output_tokens(reply))), False
    yield _event("message_stop"), False


def _event(kind: str, **fields: Json) -> Chunk:
    return Chunk(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())


def _message(
    head: Head, contents: Sequence[Json], stop_reason: str | None, output_tokens: int
) -> dict[str, Json]:
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
    size, longer = divmod(len(whole), count)
    letters = iter(whole)
    yield from ("".join(islice(letters, size + (index < longer))) for index in range(count))
