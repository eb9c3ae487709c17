import pytest
from hypothesis import given
from hypothesis import strategies as st

from jelmore_agent.workspace.facts import file_fact, original, portable, restore_files, silent_facts
from jelmore_agent.workspace.tree import Change, Tree, coalesced, pack, unpack

_A, _B = pack(1, 2, 3), pack(4, 5, 6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("created", _A), ("deleted", None)], []),
        ([("created", _A), ("modified", _B)], [("created", _B)]),
        ([("deleted", None), ("created", _B)], [("modified", _B)]),
        ([("modified", _A), ("modified", _B)], [("modified", _B)]),
        ([("modified", _A), ("deleted", None)], [("deleted", None)]),
        ([("created", _A), ("deleted", None), ("created", _B)], [("created", _B)]),
        ([("deleted", None), ("created", _B), ("deleted", None)], [("deleted", None)]),
    ],
)
def test_changes_of_a_path_in_one_look_are_one(
    changes: list[tuple[str, bytes | None]], expected: list[tuple[str, bytes | None]]
) -> None:
    found = coalesced([Change("p", change, signature) for change, signature in changes])
    assert [(change.change, change.signature) for change in found] == expected


@given(st.integers(0, (1 << 63) - 1), st.integers(-(1 << 80), 1 << 80), st.integers(0, (1 << 64) - 1))
def test_any_status_has_a_signature_that_json_can_hold(size: int, mtime_ns: int, inode: int) -> None:
    signature = pack(size, mtime_ns, inode)
    kept_size, kept_time, kept_inode = unpack(signature)
    assert (kept_size, kept_inode) == (size, inode)
    assert -(1 << 63) <= kept_time < 1 << 63
    assert pack(kept_size, kept_time, kept_inode) == signature


@given(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw))
def test_any_name_goes_through_json(raw: bytes) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    written = portable(name)
    assert original(written) == name
    assert isinstance(written, dict) or written.encode("utf-8") == raw


def test_a_tree_counts_what_it_holds() -> None:
    tree = Tree()
    tree.put_path("a", _A)
    tree.put_path("b/c/d", _A)
    tree.put_path("b/c/d", _B)
    assert tree.entries == 4
    assert sorted(directory.path for directory in tree.remove("b")) == ["b", "b/c"]
    assert tree.entries == 1
    assert tree.root.subdirectories == set()
    tree.put_path("a", None)
    tree.put_path("no/such", None)
    assert tree.entries == 0
    tree.put_path("x/y", _A)
    assert len(tree.remove("")) == 2
    assert tree.entries == 0
    assert tree.get("") is tree.root


def test_facts_give_the_tree_again() -> None:
    tree = Tree()
    names = ["a", "b/c", "b/\udcff", "gone"]
    for fact in silent_facts([(name, _A) for name in names]):
        restore_files(tree, fact)
    restore_files(tree, file_fact(Change("a", "modified", _B)))
    restore_files(tree, file_fact(Change("b/\udcff", "deleted", None)))
    restore_files(tree, file_fact(Change("new/\udcfe", "created", _A)))
    for fact in silent_facts([("gone", None)]):
        restore_files(tree, fact)
    assert dict(tree.files()) == {"a": _B, "b/c": _A, "new/\udcfe": _A}
