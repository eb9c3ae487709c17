"""What the launcher says to the agent (README.md), typed."""

import msgspec

from jelmore_agent.link.frames import Frame, FrameError


class Exited(msgspec.Struct, tag_field="type", tag="exited", frozen=True):
    """The CLI, and all that it started, ended by `code` or by `signal`: its spool has its last line.

    `stderr` is the last 8 KiB; it may hold secrets.
    """

    run: int
    code: int | None
    signal: int | None
    stderr: str


class RunningCli(msgspec.Struct, frozen=True):
    number: int
    pid: int


class Hello(msgspec.Struct, tag_field="type", tag="hello", frozen=True):
    """The launcher is there, with what it owns now."""

    nonce: str
    pid: int
    run: RunningCli | None
    exits: list[Exited]  # that no agent has confirmed
    stopping: bool
    last_run: int = 0

    def __repr__(self) -> str:  # without the nonce
        return f"Hello(pid={self.pid}, run={self.run}, exits={self.exits}, stopping={self.stopping})"


class Started(msgspec.Struct, tag_field="type", tag="started", frozen=True):
    run: int
    pid: int


class Refused(msgspec.Struct, tag_field="type", tag="refused", frozen=True):
    """A start or, where `token` is given, a write that the launcher did not carry out, and will not."""

    run: int
    message: str
    token: str | None = None


class Written(msgspec.Struct, tag_field="type", tag="written", frozen=True):
    """The whole line is in the CLI's stdin."""

    run: int
    token: str


class Stopping(msgspec.Struct, tag_field="type", tag="stopping", frozen=True):
    """The launcher was told to end: the CLI is to be ended cleanly, soon."""


class Disk(msgspec.Struct, tag_field="type", tag="disk", frozen=True):
    """The CLI was stopped for lack of disk, or goes on."""

    paused: bool


class Disconnected(msgspec.Struct, frozen=True):
    """The launcher's connection has ended; the CLI may well go on."""


type Said = Hello | Started | Refused | Written | Exited | Stopping | Disk
type LinkEvent = Said | Disconnected

_TYPES = frozenset({"hello", "started", "refused", "written", "exited", "stopping", "disk"})


def parse(frame: Frame) -> Said | None:
    """None for a type that this agent does not know. Raises FrameError."""
    if frame.get("type") not in _TYPES:
        return None
    try:
        said: Said = msgspec.convert(frame, Said)
    except msgspec.ValidationError as error:
        raise FrameError(f"{frame['type']}: {error}") from error
    return said
