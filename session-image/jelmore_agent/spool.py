"""The session's own disk: what the CLI printed (`run-N.jsonl`) and what the agent found out (`run-N.facts`), read as
one order.

Both files are append only. The CLI itself writes the first (it is its stdout). A fact notes how far the spool had
been read when it was found (`at`), so that reading both again gives the same order: a fact comes after the line that
ended at its `at`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from jelmore_agent.facts import Fact, decode_fact, encode_fact
from jelmore_contract.report import ORIGIN, Cursor

_CHUNK = 1 << 20


class LineRecord(NamedTuple):
    """One line of the CLI's, without its newline. `end`: byte offset behind its newline. `whole`: false for a torn
    last line.
    """

    run: int
    end: int
    line: bytes


class FactRecord(NamedTuple):
    """One fact. `at`: offset in the spool that it comes after. `end`: byte offset behind it in its file."""

    run: int
    at: int
    end: int
    fact: Fact


type Record = LineRecord | FactRecord


def spool_path(folder: Path, run: int) -> Path:
    return folder / f"run-{run}.jsonl"


def facts_path(folder: Path, run: int) -> Path:
    return folder / f"run-{run}.facts"


def last_run(folder: Path) -> int:
    """The highest run that left a file, 0 for none."""
    runs = [int(path.stem[4:]) for path in folder.glob("run-*.facts") if path.stem[4:].isdigit()]
    return max(runs, default=0)


class SpoolReader:
    """Reads a growing spool from its start, line by line."""

    def __init__(self, folder: Path, run: int) -> None:
        self.run = run
        self.offset = 0  # behind the last line that was returned
        self._rest = bytearray()
        self._searched = 0  # bytes of the rest known to hold no newline
        self._fd = os.open(spool_path(folder, run), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        os.close(self._fd)

    def read(self, until: int | None = None) -> Iterator[LineRecord]:
        """The whole lines there are now, up to offset `until`. Stop iterating at any point: the rest comes at the
        next call.
        """
        while True:
            while (newline := self._rest.find(b"\n", self._searched)) >= 0:
                if until is not None and self.offset >= until:
                    return
                line = bytes(self._rest[:newline])
                del self._rest[: newline + 1]
                self._searched = 0
                self.offset += newline + 1
                yield LineRecord(self.run, self.offset, line)
            self._searched = len(self._rest)
            if until is not None and self.offset >= until:
                return
            chunk = os.pread(self._fd, _CHUNK, self.offset + len(self._rest))
            if not chunk:
                return
            self._rest += chunk

    def rest(self) -> LineRecord | None:
        """The last line without a newline, once its writer is gone."""
        if not self._rest:
            return None
        line = bytes(self._rest)
        self._rest.clear()
        self._searched = 0
        self.offset += len(line)
        return LineRecord(self.run, self.offset, line)


class FactsLog:
    """The agent's own file of a run. A fact torn by a crash in the middle of writing was never acted on: it is cut
    off.
    """

    def __init__(self, folder: Path, run: int) -> None:
        self.run = run
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(facts_path(folder, run), flags, 0o600)
        stored = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        self._stored = stored[: stored.rfind(b"\n") + 1]
        self.end = len(self._stored)
        if self.end != len(stored):
            os.ftruncate(self._fd, self.end)

    def close(self) -> None:
        os.close(self._fd)

    def stored(self) -> Iterator[FactRecord]:
        """The facts that were there when the file was opened, once."""
        end, stored = 0, self._stored
        self._stored = b""
        for line in stored.splitlines(keepends=True):
            end += len(line)
            at, fact = decode_fact(line)
            yield FactRecord(self.run, at, end, fact)

    def append(self, at: int, fact: Fact, durable: bool) -> FactRecord:
        """Writes one fact. `durable`: it must outlive a power cut, because something outside is told of it next.
        Raises OSError.
        """
        data = encode_fact(at, fact)
        if os.write(self._fd, data) != len(data):
            os.ftruncate(self._fd, self.end)
            raise OSError(28, "no space left for the session's facts")
        if durable:
            os.fdatasync(self._fd)
        self.end += len(data)
        return FactRecord(self.run, at, self.end, fact)


def stored_records(reader: SpoolReader, facts: FactsLog) -> Iterator[Record]:
    """One run as its files tell it, in order, up to the last fact. What the spool holds beyond is read by the
    caller.
    """
    for fact in facts.stored():
        yield from reader.read(until=fact.at)
        if reader.offset < fact.at and (torn := reader.rest()) is not None:
            yield torn
        yield fact


class Hint:
    """How far the log is known to hold this session's events. Only ever behind: what lies before it need not be
    offered again.
    """

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "published", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> Cursor | None:
        try:
            cursor = msgspec.json.decode(os.pread(self._fd, 4096, 0), type=Cursor)
        except msgspec.DecodeError:
            return None
        return cursor if cursor != ORIGIN else None

    def write(self, cursor: Cursor) -> None:
        # One small write of a fixed width replaces the one before; torn by a crash it is no JSON and counts as nothing.
        os.pwrite(self._fd, msgspec.json.encode(cursor).ljust(128), 0)
