"""When what died may be started again."""

from datetime import timedelta

import pytest

from jelmore_operator.reconcile import backoff
from tests.support.observations import NOW, ago


@pytest.mark.parametrize(
    ("starts", "seconds"),
    [
        ((), 0),
        ((ago(0),), 0),
        ((ago(2), ago(1), ago(0.5), ago(0)), 0),
        ((ago(3), ago(2), ago(1), ago(0.5), ago(0)), 0.5),
        ((ago(3), ago(2), ago(1), ago(0.5), ago(0.4)), 0.1),
        ((ago(3), ago(2), ago(1), ago(0.5), ago(0.5)), 0),
        (tuple(ago(30 - n) for n in range(11)), 10),
        (tuple(ago(400 - n) for n in range(11)), 0),
        (tuple(ago(n) for n in range(30, 0, -1)), 29),
    ],
    ids=["none", "one", "four", "five", "five, waited", "waited long enough", "most", "long ago", "beyond"],
)
def test_wait(starts: tuple, seconds: float) -> None:  # type: ignore[type-arg]
    assert backoff.wait(starts, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("starts", "loops"),
    [
        ((), False),
        (tuple(ago(n) for n in range(11, 0, -1)), False),
        (tuple(ago(n) for n in range(12, 0, -1)), True),
        ((ago(400), *(ago(n) for n in range(11, 0, -1))), False),
    ],
    ids=["none", "eleven", "twelve", "one of twelve is old"],
)
def test_crash_loop(starts: tuple, loops: bool) -> None:  # type: ignore[type-arg]
    assert backoff.crash_loop(starts, NOW) is loops


def test_a_session_that_always_crashes_at_once_is_given_up_within_two_minutes() -> None:
    now, starts = NOW, [NOW]
    while not backoff.crash_loop(tuple(starts), now):
        now += timedelta(seconds=backoff.wait(tuple(starts), now))
        starts.append(now)
    assert now - NOW < timedelta(minutes=2)
