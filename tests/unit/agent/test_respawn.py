"""When the sidecar's parent starts a child again."""

import pytest

from jelmore_agent.parent.respawn import FINISHED, MOST, pause


@pytest.mark.parametrize(
    ("code", "lived", "before", "expected"),
    [
        (1, 3600, 0, 0),  # at once
        (-9, 3600, 0, 0),
        (1, 10, 5, 0),
        (1, 0.2, 0, 0.1),  # and nearly so, for the first time
        (-11, 0.2, 0.1, 0.2),
        (1, 0.2, 0.2, 0.4),
        (1, 0.2, 4, MOST),
        (1, 0.2, MOST, MOST),
        (0, 3600, 0, FINISHED),
        (0, 0.2, 0, FINISHED),
    ],
)
def test_how_long_it_waits(code: int, lived: float, before: float, expected: float) -> None:
    assert pause(code, lived, before) == expected
