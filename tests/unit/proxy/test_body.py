"""Which requests count as another try."""

from jelmore_proxy.body import Failures


def test_each_failure_counts_for_one_other_try() -> None:
    failures = Failures()
    assert not failures.taken(b"a")
    failures.add(b"a")
    failures.add(b"a")
    assert [failures.taken(b"a") for _ in range(3)] == [True, True, False]


def test_only_the_last_are_remembered() -> None:
    failures = Failures()
    for number in range(100):
        failures.add(bytes([number]))
    assert [failures.taken(bytes([number])) for number in (0, 99)] == [False, True]
