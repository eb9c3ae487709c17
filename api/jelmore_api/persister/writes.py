"""The statements that bring a batch's changes into the tables."""

import dataclasses

import asyncpg

from jelmore_api.persister.rows import Changes, EventRow, Request, SessionRow

SESSION_COLUMNS = tuple(field.name for field in dataclasses.fields(SessionRow))
_EVENT_COLUMNS = EventRow._fields

_WRITE_SESSION = (
    f"INSERT INTO sessions ({', '.join(SESSION_COLUMNS)})"  # noqa: S608 - columns of our own
    f" VALUES ({', '.join(f'${n}' for n in range(1, len(SESSION_COLUMNS) + 1))})"
    f" ON CONFLICT (session_id) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in SESSION_COLUMNS[1:])}"
)
_WRITE_COMMAND = "INSERT INTO commands (session_id, seq, id, kind, timestamp, payload) VALUES ($1, $2, $3, $4, $5, $6)"
_WRITE_BLOB = """
    INSERT INTO blobs (session_id, name, chunk, seq, data) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id, name, chunk) DO UPDATE SET seq = excluded.seq, data = excluded.data
"""
_QUEUE_INPUT = """
    INSERT INTO inputs (session_id, input_id, state, content, seq) VALUES ($1, $2, 'queued', $3, $4)
    ON CONFLICT (session_id, input_id) DO UPDATE SET content = coalesce(inputs.content, excluded.content)
"""
_WRITE_INPUT_STATE = """
    INSERT INTO inputs (session_id, input_id, state, reason, seq) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (session_id, input_id)
    DO UPDATE SET state = excluded.state, reason = excluded.reason, seq = excluded.seq
"""
_OPEN_APPROVAL = """
    INSERT INTO approvals (session_id, approval_id, request, kind, requested_seq, requested_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (session_id, approval_id) DO UPDATE SET request = excluded.request, kind = excluded.kind,
        requested_seq = excluded.requested_seq, requested_at = excluded.requested_at,
        decision = NULL, decided_by = NULL, decision_message = NULL, resolved_at = NULL
"""
_RESOLVE_APPROVAL = """
    UPDATE approvals SET decision = $3, decided_by = $4, decision_message = $5, resolved_at = $6
    WHERE session_id = $1 AND approval_id = $2
"""
_CANCEL_APPROVALS = """
    UPDATE approvals SET decision = 'cancelled', decided_by = 'claude', resolved_at = $2
    WHERE session_id = $1 AND decision IS NULL
"""
_WRITE_DEAD_LETTER = "INSERT INTO dead_letters (seq, subject, reason, data) VALUES ($1, $2, $3, $4)"


async def apply(connection: "asyncpg.Connection[asyncpg.Record]", changes: Changes) -> None:
    """Within the transaction that the connection is in."""
    write = connection.executemany
    if changes.events:
        await connection.copy_records_to_table("events", records=changes.events, columns=_EVENT_COLUMNS)
    if changes.commands:
        await write(_WRITE_COMMAND, changes.commands)
    if changes.blobs:
        await write(_WRITE_BLOB, changes.blobs)
    if changes.sessions:
        await write(_WRITE_SESSION, [_session_values(row) for row in changes.sessions.values()])
    if changes.queued:
        await write(_QUEUE_INPUT, changes.queued)
    if changes.input_states:
        await write(_WRITE_INPUT_STATE, list(changes.input_states.values()))
    for approval in changes.approvals:
        await connection.execute(_OPEN_APPROVAL if isinstance(approval, Request) else _RESOLVE_APPROVAL, *approval)
    if changes.ended:
        await write(_CANCEL_APPROVALS, list(changes.ended.items()))
    if changes.dead_letters:
        await write(_WRITE_DEAD_LETTER, changes.dead_letters)


def _session_values(row: SessionRow) -> tuple[object, ...]:
    return tuple(getattr(row, column) for column in SESSION_COLUMNS)
