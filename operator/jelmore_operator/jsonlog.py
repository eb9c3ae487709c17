"""Logs as JSON lines, each with what it is about: session, namespace, action."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

_MOST_BYTES = 4 << 20
_OLDER_FILES = 2
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_NOTHING: Mapping[str, str] = {}
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)


@contextmanager
def logging_about(**fields: str) -> Iterator[None]:
    """All that is logged within, by whichever module, has these fields too."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """One object a line: timestamp, level, logger, message, what it is about, and whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _about.get()
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=_text, separators=(",", ":"))


def _text(value: object) -> str:
    """An exception by its type and all that it says: the names alone of what NATS refuses do not tell why."""
    if not isinstance(value, BaseException):
        return str(value)
    name, said = type(value).__name__, str(value).removeprefix("nats: ")
    return said if said.startswith(name) else f"{name}: {said}" if said else name


def json_file_handler(path: Path) -> logging.Handler:
    """Raises OSError."""
    handler = RotatingFileHandler(path, maxBytes=_MOST_BYTES, backupCount=_OLDER_FILES, encoding="utf-8")
    handler.setFormatter(JsonLines())
    return handler
