"""Names of a session's objects."""

from jelmore_operator.kube.names import object_name


def test_a_name_says_whose_it_is() -> None:
    assert object_name("fix-the-tests") == "claude-fix-the-tests"


def test_one_that_is_too_long_is_cut_and_stays_its_own() -> None:
    first, second = object_name("x" * 62 + "a"), object_name("x" * 62 + "b")
    assert first != second
    assert len(first) == len(second) == 63
    assert first == object_name("x" * 62 + "a")


def test_a_cut_name_is_still_a_label() -> None:
    assert "--" not in object_name("x" * 45 + "-" * 5 + "y" * 13)
