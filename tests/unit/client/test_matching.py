import pytest

from jelmore.matching import find_approval, find_session, full_id
from jelmore.models import Approval, SessionView
from jelmore.problems import InvalidRequest, NotFound

FIRST, SECOND, THIRD = (
    "550e8400-e29b-41d4-a716-446655440000",
    "550e9999-e29b-41d4-a716-446655440000",
    "6f0e8400-e29b-41d4-a716-446655440000",
)


def session(session_id: str, name: str, status: str = "idle", namespace: str = "default") -> SessionView:
    return SessionView(
        id=session_id,
        status=status,
        current_directory=None,
        created_at=None,
        last_activity=None,
        output_buffer_size=0,
        name=name,
        namespace=namespace,
    )


SESSIONS = [session(FIRST, "one"), session(SECOND, "two"), session(THIRD, "550e")]


@pytest.mark.parametrize(
    ("given", "found"),
    [("one", FIRST), ("two", SECOND), ("550e8", FIRST), ("550E9", SECOND), ("6f0e8400-e29b", THIRD), ("550e", THIRD)],
)
def test_a_session_is_meant_by_its_name_or_the_beginning_of_its_id(given: str, found: str) -> None:
    assert find_session(given, SESSIONS).id == found


@pytest.mark.parametrize("given", ["three", "550", "6f0", "550e84000", "ne", ""])
def test_what_nothing_is_meant_by(given: str) -> None:
    with pytest.raises(NotFound, match="jelmore ls"):
        find_session(given, SESSIONS)


def test_before_there_is_any_session() -> None:
    with pytest.raises(NotFound, match="jelmore create"):
        find_session("one", [])


def test_several_are_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_session("550e", SESSIONS[:2])
    assert FIRST in refused.value.detail
    assert SECOND in refused.value.detail


def test_a_name_means_who_has_it_now_else_who_had_it_last() -> None:
    newest_first = [session(FIRST, "a", "terminated"), session(SECOND, "a"), session(THIRD, "a", "terminated")]
    assert find_session("a", newest_first).id == SECOND
    assert find_session("a", [newest_first[0], newest_first[2]]).id == FIRST


def test_one_name_in_two_namespaces() -> None:
    with pytest.raises(InvalidRequest, match="2 sessions"):
        find_session("a", [session(FIRST, "a"), session(SECOND, "a", namespace="b")])


@pytest.mark.parametrize(
    ("given", "found"),
    [(FIRST, FIRST), (FIRST.upper(), FIRST), (FIRST.replace("-", ""), None), ("550e8400", None), ("", None)],
)
def test_a_whole_id_needs_no_list(given: str, found: str | None) -> None:
    assert full_id(given) == found


def approval(approval_id: str) -> Approval:
    return Approval(approval_id=approval_id, kind="approval", tool_name="Bash", input={})


def test_an_approval_is_meant_by_its_id_or_by_being_the_only_one() -> None:
    both = [approval("a-1"), approval("b-2")]
    assert find_approval(None, both[:1], "s") is both[0]
    assert find_approval("b", both, "s") is both[1]
    with pytest.raises(InvalidRequest, match=r"(?s)2 things.*a-1.*b-2"):
        find_approval(None, both, "s")
    with pytest.raises(NotFound, match="a-1"):
        find_approval("c", both, "s")
    with pytest.raises(NotFound, match="jelmore logs -f s"):
        find_approval(None, [], "s")
