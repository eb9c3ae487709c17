"""What time it is."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """In milliseconds, as the log has its times."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
