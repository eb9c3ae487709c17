"""Labels of sessions, to filter by."""

from collections.abc import Sequence

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE sessions ADD COLUMN labels jsonb NOT NULL DEFAULT '{}'")
    op.execute("CREATE INDEX sessions_labels ON sessions USING gin (labels jsonb_path_ops)")


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN labels")
