"""The sessions' last reports, as PostgreSQL has them, for a stream that is made anew."""

import logging

import asyncpg
import msgspec

from jelmore_api.persister.stream import StoredReport
from jelmore_contract.events import encode_json
from jelmore_contract.report import Cursor, Report
from jelmore_contract.subjects import SessionKey

logger = logging.getLogger(__name__)

_READ = """
    SELECT session_id::text, namespace, report, (
        SELECT id FROM events WHERE events.session_id = sessions.session_id AND event_type = 'session.output'
        ORDER BY seq DESC LIMIT 1
    ) AS last_output
    FROM sessions WHERE report IS NOT NULL AND terminated_at IS NULL
"""


async def stored_reports(connection: "asyncpg.Connection[asyncpg.Record]") -> list[StoredReport]:
    """Raises asyncpg.PostgresError, OSError."""
    return [
        StoredReport(SessionKey(row["namespace"], row["session_id"]), moved_on(row["report"], row["last_output"]))
        for row in await connection.fetch(_READ)
    ]


def moved_on(report: str, last_output: str | None) -> bytes:
    """The report with its cursor at the session's last stored line. Lines alone are stored without a new report, and an
    agent looks for the last of them in the stream, where it is not any more.
    """
    try:
        decoded = msgspec.json.decode(report, type=Report)
        if last_output is not None:
            decoded.cursor = max(decoded.cursor, Cursor.of_line(last_output))
        return encode_json(decoded)
    except ValueError:
        logger.warning("a stored report cannot be read, it is put back as it is")
        return report.encode()
