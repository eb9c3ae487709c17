"""When what died may be started again, from nothing but the times of its recent starts."""

from datetime import datetime, timedelta

#: Starts older than this are no part of a crash loop.
WINDOW = timedelta(minutes=5)
#: Seconds between a start and the next one, by how many recent starts there were. The first few are free:
#: whoever kills a process by hand, or loses one to the kernel, gets it back at once.
DELAYS = (0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


def recent(starts: tuple[datetime, ...], now: datetime) -> int:
    return sum(1 for start in starts if now - start < WINDOW)


def crash_loop(starts: tuple[datetime, ...], now: datetime) -> bool:
    """Whether another start would be one too many."""
    return recent(starts, now) > len(DELAYS)


def wait(starts: tuple[datetime, ...], now: datetime) -> float:
    """Seconds until the next start may be made; 0 for at once."""
    count = recent(starts, now)
    if not count:
        return 0.0
    delay = DELAYS[min(count, len(DELAYS)) - 1]
    return max(0.0, delay - (now - starts[-1]).total_seconds())
