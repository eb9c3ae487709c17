"""What the agent asks of the launcher (link/README.md), checked. Standard library only."""

from typing import NamedTuple

from jelmore_agent.link.frames import Frame, FrameError

SIGNALS = (2, 9, 15)  # SIGINT, SIGKILL, SIGTERM: all that ends or interrupts a CLI


class Start(NamedTuple):
    """Its words may still be ones that no process can be started with."""

    run: int
    argv: list[str]
    env: dict[str, str | None]  # None removes a name
    cwd: str


class Write(NamedTuple):
    run: int
    token: str
    line: bytes  # without its newline


class CloseStdin(NamedTuple):
    run: int


class Signal(NamedTuple):
    run: int
    signal: int


class Confirm(NamedTuple):
    run: int


class Bye(NamedTuple):
    pass


type Request = Start | Write | CloseStdin | Signal | Confirm | Bye


def parse(frame: Frame) -> Request | None:
    """The request in a frame, None for a type that this launcher does not know. Raises FrameError."""
    match frame.get("type"):
        case "start":
            return Start(_run(frame), _argv(frame), _env(frame), _text(frame, "cwd"))
        case "write":
            return Write(_run(frame), _text(frame, "token"), _line(frame))
        case "close_stdin":
            return CloseStdin(_run(frame))
        case "signal":
            return Signal(_run(frame), _signal(frame))
        case "confirm":
            return Confirm(_run(frame))
        case "bye":
            return Bye()
        case _:
            return None


def _run(frame: Frame) -> int:
    run = frame.get("run")
    if type(run) is not int or run < 1:  # a bool is an int too
        raise FrameError("run must be a number from 1")
    return run


def _text(frame: Frame, name: str) -> str:
    text = frame.get(name)
    if not isinstance(text, str):
        raise FrameError(f"{name} must be a string")
    return text


def _line(frame: Frame) -> bytes:
    try:
        line = _text(frame, "line").encode()
    except UnicodeEncodeError as error:
        raise FrameError("line has no UTF-8 form") from error
    if b"\n" in line:
        raise FrameError("line holds a newline")
    return line


def _argv(frame: Frame) -> list[str]:
    argv = frame.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise FrameError("argv must be a list of strings, the program first")
    return argv


def _env(frame: Frame) -> dict[str, str | None]:
    env = frame.get("env")
    if not isinstance(env, dict) or not all(value is None or isinstance(value, str) for value in env.values()):
        raise FrameError("env must be an object of strings and nulls")
    return env


def _signal(frame: Frame) -> int:
    number = frame.get("signal")
    if number not in SIGNALS:
        raise FrameError(f"signal must be one of {SIGNALS}")
    assert isinstance(number, int)
    return number
