"""The facts of a workspace: what is told of it, and what a new agent needs to go on where the last one was.

Three kinds, all plain JSON. `state` is for this package alone; who keeps facts keeps it whole:
- file: path, change (created, modified, deleted), size, mtime_ns, inode. A name that is no UTF-8 has U+FFFD for each
  wrong byte in `path`, and stands in `state` as it is: {"path": {"base64": ...}}.
- git: operation, branch, from, to, message, repository ("" is the workspace itself), log, offset; `state`: see
  repository.py.
- baseline: only `state`, no event: how things stood when they were first looked at.
  {"files": [[path, size, mtime_ns, inode], ...]}; size null: no longer followed. {"repository": path, ...}: see
  repository.py. {"complete": Unix time}: the first look at the workspace is through, which began then.
"""

import base64
import os
from collections.abc import Iterable, Iterator
from itertools import batched
from typing import Any

from jelmore_agent.workspace.tree import Change, Signature, Tree, pack, unpack

type Fact = dict[str, Any]

#: Files in one baseline fact.
BASELINE_FILES = 500


def file_fact(change: Change) -> Fact:
    size, mtime_ns, inode = unpack(change.signature) if change.signature is not None else (None, None, None)
    written = portable(change.path)
    fact: Fact = {
        "kind": "file",
        "path": readable(change.path),
        "change": change.change,
        "size": size,
        "mtime_ns": mtime_ns,
        "inode": inode,
    }
    if written != change.path:
        fact["state"] = {"path": written}
    return fact


def silent_facts(files: Iterable[tuple[str, Signature | None]]) -> Iterator[Fact]:
    """Facts that set (None: forget) these files without telling of them."""
    for batch in batched(files, BASELINE_FILES):
        rows = [
            [portable(path), *(unpack(signature) if signature is not None else (None, None, None))]
            for path, signature in batch
        ]
        yield {"kind": "baseline", "state": {"files": rows}}


def restore_files(tree: Tree, fact: Fact) -> None:
    """Takes one fact of files back into the tree."""
    state: dict[str, Any] = fact.get("state") or {}
    if fact["kind"] == "file":
        path = original(state["path"] if "path" in state else fact["path"])
        deleted = fact["change"] == "deleted"
        tree.put_path(path, None if deleted else pack(fact["size"], fact["mtime_ns"], fact["inode"]))
        return
    for path, size, mtime_ns, inode in state.get("files", ()):
        tree.put_path(original(path), None if size is None else pack(size, mtime_ns, inode))


def readable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def portable(path: str) -> str | dict[str, str]:
    """A path as JSON can hold it, without loss."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode("ascii")}


def original(path: str | dict[str, str]) -> str:
    return path if isinstance(path, str) else os.fsdecode(base64.b64decode(path["base64"]))
