"""git's small files, parsed; pure. What makes no sense in them is passed over: they are anybody's."""

import re
from typing import NamedTuple

_SHA = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FETCHED_TAG = re.compile(rb"([0-9a-f]{40,64})\t[^\t]*\ttag '([^\n]*)' of ")


class Head(NamedTuple):
    """Where a HEAD points. `ref`: None when it is detached; `sha`: only then."""

    ref: str | None
    sha: str | None


def parse_head(data: bytes) -> Head | None:
    text = data.strip()
    if text.startswith(b"ref:"):
        try:
            return Head(text[4:].strip().decode("utf-8"), None)
        except UnicodeDecodeError:
            return None
    sha = parse_sha(text)
    return Head(None, sha) if sha else None


def parse_sha(data: bytes) -> str | None:
    """The content of a loose ref; None for a symbolic one."""
    text = data.strip()
    return text.decode("ascii") if _SHA.fullmatch(text) else None


def parse_packed(data: bytes) -> dict[str, str]:
    refs: dict[str, str] = {}
    for line in data.split(b"\n"):
        sha, _, name = line.partition(b" ")
        if not _SHA.fullmatch(sha) or not name.startswith(b"refs/"):
            continue
        try:
            refs[name.decode("utf-8")] = sha.decode("ascii")
        except UnicodeDecodeError:
            continue
    return refs


def parse_fetched_tags(data: bytes) -> set[str]:
    """The tags that the last fetch brought, by FETCH_HEAD."""
    return {match.group(2).decode("utf-8", "replace") for match in map(_FETCHED_TAG.match, data.split(b"\n")) if match}


def parse_gitdir(data: bytes) -> bytes | None:
    """Where a `.git` file says that the repository is."""
    first = data.partition(b"\n")[0]
    return first.removeprefix(b"gitdir:").strip() if first.startswith(b"gitdir:") else None
