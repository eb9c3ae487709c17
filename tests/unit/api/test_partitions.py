"""Which partitions of events a batch needs."""

import pytest

from jelmore_api.persister.partitions import SPAN, partitions_needed


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [
        (1, 1, [0]),
        (1, SPAN // 2, [0]),
        (SPAN - 1, SPAN - 1, [0, 1]),
        (SPAN - SPAN // 20, SPAN - SPAN // 20, [0, 1]),
        (SPAN - 1, SPAN, [0, 1]),
        (SPAN, SPAN, [1]),
        (1, 3 * SPAN, [0, 1, 2, 3]),
    ],
)
def test_ahead_of_need(first: int, last: int, numbers: list[int]) -> None:
    assert list(partitions_needed(first, last)) == numbers
