"""Which media type a client gets for its Accept header."""

import pytest

from jelmore_api.negotiation import preferred

JSON, STREAM = "application/json", "text/event-stream"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ([], JSON),
        ([""], JSON),
        (["*/*"], JSON),
        (["application/json"], JSON),
        (["text/event-stream"], STREAM),
        (["Text/Event-Stream; charset=utf-8"], STREAM),
        (["text/*"], STREAM),
        (["text/event-stream, application/json"], JSON),
        (["text/event-stream, application/json;q=0.9"], STREAM),
        (["text/event-stream;q=0.5, */*;q=0.1"], STREAM),
        (["text/event-stream;q=0.1, */*"], JSON),
        (["text/event-stream", "application/json;q=0.5"], STREAM),
        (["*/*, text/event-stream;q=0"], JSON),
        (["*/*, application/json;q=0"], STREAM),
        (["application/json;q=0"], STREAM),
        (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], JSON),
        # A type that is not on offer asks for nothing in particular.
        (["text/html"], JSON),
        (["application/problem+json"], JSON),
        (["text/event-stream;q=high"], STREAM),
        (["text/event-stream;q=7"], STREAM),
        (["nonsense"], JSON),
        (["text/event-stream;q=0"], JSON),
        (["*/*;q=0"], None),
        (["application/json;q=0, text/event-stream;q=0.0"], None),
    ],
)
def test_preferred(accept: list[str], wanted: str | None) -> None:
    assert preferred(accept, (JSON, STREAM)) == wanted
