"""The tables, as queries name them. The migrations make them; a test compares the two.

Everything but `log_position` is derived from the log and can be rebuilt from it. JSON is kept as text, as it came:
`jsonb` refuses `\\u0000` and lone surrogates, which real output holds.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

_ZERO = text("0")


def _session_id(primary_key: bool = True) -> Column[str]:
    return Column("session_id", Uuid(as_uuid=False), primary_key=primary_key, nullable=False)


#: How far the stream is mirrored: every message up to `seq` is in the tables below.
log_position = Table(
    "log_position",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

#: Every event, partitioned by ranges of seq (a key of seq alone cannot be partitioned by session or time).
events = Table(
    "events",
    metadata,
    _session_id(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("timestamp", Text, nullable=False, comment="RFC 3339, as it came"),
    Column("encoding", Text, comment="null, base64 or blob: what payload is"),
    Column("payload", Text, nullable=False, comment="JSON, byte for byte as it came"),
    # They are few, and looked for by themselves.
    Index(
        "events_diffs",
        *("session_id", "event_type", "seq"),
        postgresql_where=text("event_type IN ('session.diff', 'session.error')"),
    ),
    postgresql_partition_by="RANGE (seq)",
)

commands = Table(
    "commands",
    metadata,
    _session_id(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("timestamp", Text, nullable=False),
    Column("payload", Text, nullable=False),
)

#: Chunks of payloads that are too large for one message.
blobs = Table(
    "blobs",
    metadata,
    _session_id(),
    Column("name", Text, primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

#: Where each session stands.
sessions = Table(
    "sessions",
    metadata,
    _session_id(),
    Column("namespace", Text, nullable=False),
    Column("name", Text),
    Column("spec", Text, comment="JSON: the resource's spec as it was accepted"),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("waiting_for", Text, comment="approval, question or plan, while state is waiting_input"),
    Column("message", Text),
    Column("created_at", DateTime(timezone=True)),
    Column("last_activity", DateTime(timezone=True)),
    Column("terminated_at", DateTime(timezone=True)),
    Column("terminated_reason", Text),
    Column("current_directory", Text),
    Column("run", Integer, nullable=False, server_default=_ZERO),
    Column("cost_usd", Double, nullable=False, server_default=_ZERO),
    Column("input_tokens", BigInteger, nullable=False, server_default=_ZERO),
    Column("output_tokens", BigInteger, nullable=False, server_default=_ZERO),
    Column("turns", Integer, nullable=False, server_default=_ZERO),
    Column("git_branch", Text),
    Column("git_commit", Text),
    Column("claude_session_id", Text),
    Column("quota_resets_at", Text),
    Column("report", Text, comment="JSON: the agent's last report, as it came"),
    Column("report_seq", BigInteger, nullable=False, server_default=_ZERO),
    Column("last_seq", BigInteger, nullable=False, server_default=_ZERO, comment="seq of its last event"),
    Column("output_count", BigInteger, nullable=False, server_default=_ZERO, comment="session.output events so far"),
    Index("sessions_created", "namespace", "created_at", "session_id"),
    Index("sessions_newest", text("coalesce(created_at, to_timestamp(0))"), "session_id"),
    Index("sessions_labels", "labels", postgresql_using="gin", postgresql_ops={"labels": "jsonb_path_ops"}),
)

inputs = Table(
    "inputs",
    metadata,
    _session_id(),
    Column("input_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("content", Text, comment="JSON; null for the spec's query"),
    Column("seq", BigInteger, nullable=False, comment="of the message that told the state"),
)

approvals = Table(
    "approvals",
    metadata,
    _session_id(),
    Column("approval_id", Text, primary_key=True),
    Column("request", Text, nullable=False, comment="JSON: the payload of session.approval_requested, as it came"),
    Column("kind", Text, nullable=False),
    Column("requested_seq", BigInteger, nullable=False),
    Column("requested_at", Text, nullable=False),
    Column("decision", Text, comment="null while it is open"),
    Column("decided_by", Text),
    Column("decision_message", Text),
    Column("resolved_at", Text),
    Index("approvals_open", "session_id", postgresql_where=text("decision IS NULL")),
)

#: Messages on the log's subjects that are no messages of the log.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
