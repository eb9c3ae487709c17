"""A session's log in a file, which is gone on with where it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from jelmore.blocking import Session
from jelmore.command.console import print_json_line
from jelmore.command.following import say_lost
from jelmore.events import Event, Terminated
from jelmore.problems import InvalidRequest, JelmoreError


class Kept(NamedTuple):
    """What a file holds: up to which seq, how many events, and whether the session's end is among them."""

    seq: int = 0
    events: int = 0
    ended: bool = False

    def and_then(self, seq: int, event_type: str) -> "Kept":
        return Kept(seq, self.events + 1, event_type == Terminated.TYPE)


def print_all(session: Session, blobs: bool) -> None:
    """Raises JelmoreError."""
    for event in session.export(blobs=blobs, on_lost=say_lost):
        print_json_line(event.text)


def go_on(session: Session, path: Path, blobs: bool) -> Kept:
    """Raises InvalidRequest for a file with something else in it, JelmoreError."""
    try:
        with path.open("a+b") as file:
            kept = _kept(file, session.id)
            for event in session.export(kept.seq, blobs=blobs, on_lost=say_lost):
                file.write(_line(event))
                kept = kept.and_then(event.seq, event.event_type)
            return kept
    except OSError as error:
        raise JelmoreError(f"{path} cannot be written: {error.strerror}") from error


def compare(session: Session, path: Path, blobs: bool) -> Kept:
    """Raises JelmoreError where the file is not the log."""
    kept = Kept()
    again = "export it again to another file, with the same --blobs"
    try:
        with path.open("rb") as file:
            for event in session.export(blobs=blobs, on_lost=say_lost):
                if file.readline() != _line(event):
                    raise JelmoreError(f"{path} is not the log from line {kept.events + 1} on: {again}")
                kept = kept.and_then(event.seq, event.event_type)
            if file.read(1):
                raise JelmoreError(f"{path} holds more than the log, from line {kept.events + 1} on: {again}")
    except OSError as error:
        raise JelmoreError(f"{path} cannot be read: {error.strerror}") from error
    return kept


def _line(event: Event) -> bytes:
    return event.text.encode() + b"\n"


def _kept(file: BinaryIO, session_id: str) -> Kept:
    """What is in it; a last line that was cut off is taken away. Raises InvalidRequest, OSError."""
    kept, end = Kept(), 0
    for line in _whole_lines(file):
        try:
            event = json.loads(line)
            fits = event["session_id"] == session_id and event["seq"] > kept.seq
            kept = kept.and_then(event["seq"], event["event_type"])
        except (ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            detail = f"{file.name}, line {kept.events or 1}: no event of session {session_id}, or out of order"
            raise InvalidRequest(f"{detail}: choose another file")
        end += len(line)
    file.truncate(end)
    return kept


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    for line in file:
        if line.endswith(b"\n"):
            yield line
