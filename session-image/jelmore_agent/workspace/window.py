"""When a burst of changes is looked at: pure, with the clock (seconds, monotonic) as argument."""


class Window:
    """Opens with the first change, closes `quiet` seconds after the last one, `longest` seconds after the first."""

    def __init__(self, quiet: float = 0.1, longest: float = 1.0) -> None:
        self._quiet = quiet
        self._longest = longest
        self._first: float | None = None
        self._last = 0.0

    def touch(self, now: float) -> None:
        if self._first is None:
            self._first = now
        self._last = now

    def close(self) -> None:
        self._first = None

    @property
    def due(self) -> float | None:
        """When to look; None while nothing has changed."""
        return None if self._first is None else min(self._last + self._quiet, self._first + self._longest)
