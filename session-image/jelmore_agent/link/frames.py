"""Frames of the link between launcher and agent (README.md): bytes in, objects out, no socket. Standard library
only.
"""

import json
from collections.abc import Iterator, Mapping

type Frame = dict[str, object]

#: Longest body of a frame, in bytes. A length above it is no frame, and the connection is of no more use.
MAX_BODY = 16 * 1024 * 1024
_LENGTH = 4  # bytes, big-endian


class FrameError(ValueError):
    """What came is no frame, or what should go does not fit into one."""


def encode(frame: Mapping[str, object]) -> bytes:
    """The frame as it travels. Raises FrameError if its body is longer than MAX_BODY.

    The body is pure ASCII: lone surrogates, which the CLI's lines may hold, have no UTF-8 form but an escaped
    one.
    """
    body = json.dumps(frame, separators=(",", ":")).encode("ascii")
    if len(body) > MAX_BODY:
        raise FrameError(f"a frame of {len(body)} bytes is above the limit of {MAX_BODY}")
    return len(body).to_bytes(_LENGTH, "big") + body


class FrameReader:
    """Collects bytes, gives the frames that are whole. What a dying writer left unfinished is never given."""

    def __init__(self, limit: int = MAX_BODY) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete, in order. Raises FrameError in the place of the first bad
        one.
        """
        self._buffer += data
        return self._whole()

    def _whole(self) -> Iterator[Frame]:
        while len(self._buffer) >= _LENGTH:
            size = int.from_bytes(self._buffer[:_LENGTH], "big")
            if size > self._limit:
                raise FrameError(f"a frame of {size} bytes is above the limit of {self._limit}")
            end = _LENGTH + size
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH:end])
            del self._buffer[:end]
            yield _decode(body)


def _decode(body: bytes) -> Frame:
    try:
        frame = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"a frame is no JSON: {error}") from error
    if not isinstance(frame, dict):
        raise FrameError("a frame is no JSON object")
    return frame
