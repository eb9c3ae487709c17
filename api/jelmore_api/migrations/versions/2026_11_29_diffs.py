"""A way to a session's diffs, and to why it has none, past all that it said."""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # Of all partitions, and those to come. Readers go on meanwhile; the mirror's writer waits and catches up.
    op.execute(
        """
        CREATE INDEX events_diffs ON events (session_id, event_type, seq)
        WHERE event_type IN ('session.diff', 'session.error')
        """
    )


def downgrade() -> None:
    op.execute("DROP INDEX events_diffs")
