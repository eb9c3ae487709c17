"""The documentation's table of edits names every field of the spec, once, with words that are known."""

from collections import Counter
from pathlib import Path

from jelmore_contract.resource import SessionSpec
from tests.support.edits import AT_ONCE_IN_PODS, KINDS, fields, leaves, rows

ROOT = Path(__file__).parents[3]
#: Of a session, and not of its spec.
_BESIDE = {"labels"}


def test_each_field_stands_in_the_table_once() -> None:
    named = [field for field, _ in rows()]
    assert [field for field, count in Counter(named).items() if count > 1] == []
    of_spec = list(leaves(SessionSpec))
    parts = {path.rsplit(".", cut)[0] for path in of_spec for cut in range(path.count(".") + 1)}
    assert set(named) - parts == _BESIDE

    def has_a_row(path: str) -> bool:
        return any(path.rsplit(".", cut)[0] in named for cut in range(path.count(".") + 1))

    assert [path for path in of_spec if not has_a_row(path)] == []


def test_each_row_says_when_in_words_that_the_tests_know() -> None:
    assert [acts for _, acts in rows() if not acts.startswith(KINDS)] == []


#: All other rows are tests of their own: tests/integration/operator/test_edits.py and tests/e2e/test_edits.py.
_SHOWN = {"egress": ("test_egress.py", "test_a_policy_of_its_own_that_follows_the_spec")}


def test_what_acts_at_once_in_pods_alone_is_shown_there() -> None:
    assert fields(AT_ONCE_IN_PODS) == list(_SHOWN)
    for file, test in _SHOWN.values():
        assert f"def {test}(" in (ROOT / "tests/e2e" / file).read_text()
