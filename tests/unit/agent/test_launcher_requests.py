"""What the launcher takes for a request, and what it refuses."""

import pytest

from jelmore_agent.launcher.requests import (
    Bye,
    CloseStdin,
    Confirm,
    Request,
    Signal,
    Start,
    Write,
    parse,
)
from jelmore_agent.link.frames import Frame, FrameError

START: Frame = {"type": "start", "run": 1, "argv": ["/bin/cat"], "env": {"A": "b", "C": None}, "cwd": "/"}
WRITE: Frame = {"type": "write", "run": 1, "token": "t", "line": "é"}


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        (START, Start(1, ["/bin/cat"], {"A": "b", "C": None}, "/")),
        (WRITE, Write(1, "t", "é".encode())),
        ({"type": "close_stdin", "run": 2}, CloseStdin(2)),
        ({"type": "signal", "run": 2, "signal": 15}, Signal(2, 15)),
        ({"type": "confirm", "run": 2}, Confirm(2)),
        ({"type": "bye"}, Bye()),
        ({"type": "of a later version"}, None),
        ({}, None),
    ],
)
def test_requests(frame: Frame, request_: Request | None) -> None:
    assert parse(frame) == request_


@pytest.mark.parametrize(
    ("frame", "change"),
    [
        (START, {"run": 0}),
        (START, {"run": "1"}),
        (START, {"run": True}),
        (START, {"argv": []}),
        (START, {"argv": ["cat", 1]}),
        (START, {"env": {"A": 1}}),
        (START, {"cwd": None}),
        (START, {"env": [["A", "b"]]}),
        (WRITE, {"line": "a\nb"}),
        (WRITE, {"line": "\ud800"}),
        (WRITE, {"line": None}),
        (WRITE, {"token": 1}),
        ({"type": "signal", "run": 1}, {"signal": 19}),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_an_error(frame: Frame, change: Frame) -> None:
    with pytest.raises(FrameError):
        parse(frame | change)
