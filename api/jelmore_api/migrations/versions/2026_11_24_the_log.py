"""The log: events, commands, blobs, and what is derived from them."""

from collections.abc import Sequence

from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_STATEMENTS = (
    "CREATE TABLE log_position (stream text PRIMARY KEY, seq bigint NOT NULL)",
    """
    CREATE TABLE events (
        session_id uuid NOT NULL,
        seq bigint NOT NULL,
        id text NOT NULL,
        event_type text NOT NULL,
        "timestamp" text NOT NULL,
        encoding text,
        payload text NOT NULL,
        PRIMARY KEY (session_id, seq)
    ) PARTITION BY RANGE (seq)
    """,
    """COMMENT ON COLUMN events."timestamp" IS 'RFC 3339, as it came'""",
    "COMMENT ON COLUMN events.encoding IS 'null, base64 or blob: what payload is'",
    "COMMENT ON COLUMN events.payload IS 'JSON, byte for byte as it came'",
    """
    CREATE TABLE commands (
        session_id uuid NOT NULL,
        seq bigint NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        "timestamp" text NOT NULL,
        payload text NOT NULL,
        PRIMARY KEY (session_id, seq)
    )
    """,
    """
    CREATE TABLE blobs (
        session_id uuid NOT NULL,
        name text NOT NULL,
        chunk integer NOT NULL,
        seq bigint NOT NULL,
        data bytea NOT NULL,
        PRIMARY KEY (session_id, name, chunk)
    )
    """,
    # Chunks are mostly base64 or JSON read once and whole: compressing them costs more than it saves.
    "ALTER TABLE blobs ALTER COLUMN data SET STORAGE EXTERNAL",
    """
    CREATE TABLE sessions (
        session_id uuid PRIMARY KEY,
        namespace text NOT NULL,
        name text,
        spec text,
        state text NOT NULL DEFAULT 'pending',
        waiting_for text,
        message text,
        created_at timestamptz,
        last_activity timestamptz,
        terminated_at timestamptz,
        terminated_reason text,
        current_directory text,
        run integer NOT NULL DEFAULT 0,
        cost_usd double precision NOT NULL DEFAULT 0,
        input_tokens bigint NOT NULL DEFAULT 0,
        output_tokens bigint NOT NULL DEFAULT 0,
        turns integer NOT NULL DEFAULT 0,
        git_branch text,
        git_commit text,
        claude_session_id text,
        quota_resets_at text,
        report text,
        report_seq bigint NOT NULL DEFAULT 0,
        last_seq bigint NOT NULL DEFAULT 0,
        output_count bigint NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX sessions_created ON sessions (namespace, created_at, session_id)",
    "COMMENT ON COLUMN sessions.spec IS 'JSON: the resource''s spec as it was accepted'",
    "COMMENT ON COLUMN sessions.waiting_for IS 'approval, question or plan, while state is waiting_input'",
    "COMMENT ON COLUMN sessions.report IS 'JSON: the agent''s last report, as it came'",
    "COMMENT ON COLUMN sessions.last_seq IS 'seq of its last event'",
    "COMMENT ON COLUMN sessions.output_count IS 'session.output events so far'",
    """
    CREATE TABLE inputs (
        session_id uuid NOT NULL,
        input_id text NOT NULL,
        state text NOT NULL,
        reason text,
        content text,
        seq bigint NOT NULL,
        PRIMARY KEY (session_id, input_id)
    )
    """,
    "COMMENT ON COLUMN inputs.content IS 'JSON; null for the spec''s query'",
    "COMMENT ON COLUMN inputs.seq IS 'of the message that told the state'",
    """
    CREATE TABLE approvals (
        session_id uuid NOT NULL,
        approval_id text NOT NULL,
        request text NOT NULL,
        kind text NOT NULL,
        requested_seq bigint NOT NULL,
        requested_at text NOT NULL,
        decision text,
        decided_by text,
        decision_message text,
        resolved_at text,
        PRIMARY KEY (session_id, approval_id)
    )
    """,
    "CREATE INDEX approvals_open ON approvals (session_id) WHERE decision IS NULL",
    "COMMENT ON COLUMN approvals.request IS 'JSON: the payload of session.approval_requested, as it came'",
    "COMMENT ON COLUMN approvals.decision IS 'null while it is open'",
    """
    CREATE TABLE dead_letters (
        seq bigint PRIMARY KEY,
        subject text NOT NULL,
        reason text NOT NULL,
        data bytea NOT NULL
    )
    """,
)

_TABLES = ("dead_letters", "approvals", "inputs", "sessions", "blobs", "commands", "events", "log_position")


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"DROP TABLE {table}")
