"""A way along the list of sessions, newest first."""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("CREATE INDEX sessions_newest ON sessions (coalesce(created_at, to_timestamp(0)), session_id)")


def downgrade() -> None:
    op.execute("DROP INDEX sessions_newest")
