"""The service's own log: one JSON object a line on stderr. Bodies, headers and addresses of servers are not in it."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from jelmore_contract.events import rfc3339

#: The id of the request that the current task serves.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(logging.Formatter):
    """A record as one line; `extra={"fields": {...}}` adds fields of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.get():
            line["request_id"] = request
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Uvicorn tells of each WebSocket what AccessLog tells, with the client's address and query; and of each one that
    was refused with a document it says, wrongly, that it was not answered (websockets-sansio, uvicorn 0.54).
    """
    return '"WebSocket ' not in str(record.msg) and "without completing handshake" not in str(record.msg)


def configure() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").addFilter(_worth_a_line)
