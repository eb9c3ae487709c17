"""Which files git ignores, by the text of its ignore files; pure.

gitignore(5), with wildmatch's rules for `*`, `?`, `[...]` and `**`, on bytes as in git. The text is hostile: pathspec,
the usual library, makes regular expressions of it that backtrack (`*a*a*a*…` against a long name takes hours), and
would keep the agent busy for ever. Here a name of n bytes costs at most n times the pattern's length.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

#: Bytes of one ignore file that are looked at, and rules taken from it.
FILE_LIMIT = 256 * 1024
RULES_LIMIT = 2_000

_POSIX = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t-\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


class _Invalid(Exception):
    """The pattern can match nothing."""


class _Segment:
    """One component of a pattern: matches whole names. Most have no wildcard, which needs no regular expression."""

    __slots__ = ("_glob", "_literal")

    def __init__(self, text: bytes) -> None:
        pieces = _pieces(text)
        self._literal = b"".join(re.sub(rb"\\(.)", rb"\1", p, flags=re.S) for p in pieces) if _plain(pieces) else None
        self._glob = None if self._literal is not None else _compile(pieces)

    def matches(self, name: bytes) -> bool:
        return name == self._literal if self._glob is None else self._glob.fullmatch(name) is not None


class Rule(NamedTuple):
    negated: bool
    directories_only: bool
    anywhere: bool  # matches a name at any depth: the pattern has no slash but a trailing one
    segments: tuple[_Segment | None, ...]  # None stands for **

    def matches(self, components: list[bytes], is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return False
        if self.anywhere:
            [segment] = self.segments
            return segment is None or segment.matches(components[-1])
        return _match_path(self.segments, components)


def parse(text: bytes, limit: int = RULES_LIMIT) -> tuple[Rule, ...]:
    """The rules of an ignore file, at most `limit` of them, in the order in which they are to be tried: last line
    first.
    """
    rules: list[Rule] = []
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if len(rules) == limit:
            break
        rule = _rule(line.removesuffix(b"\r"))
        if rule is not None:
            rules.append(rule)
    rules.reverse()
    return tuple(rules)


def decide(rules: Iterable[Rule], components: list[bytes], is_directory: bool) -> bool | None:
    """Whether rules of one directory ignore (True) or keep (False) a path, given by its components below that
    directory.
    """
    for rule in rules:
        if rule.matches(components, is_directory):
            return not rule.negated
    return None


def _rule(line: bytes) -> Rule | None:
    pattern = _without_trailing_spaces(line)
    if not pattern or pattern.startswith(b"#"):
        return None
    negated = pattern.startswith(b"!")
    if negated:
        pattern = pattern[1:]
    directories_only = pattern.endswith(b"/")
    if directories_only:
        pattern = pattern[:-1]
    anywhere = b"/" not in pattern
    pattern = pattern.removeprefix(b"/")
    if not pattern or len(pattern) > 4096:
        return None
    parts = [pattern] if anywhere else pattern.split(b"/")
    try:
        segments = tuple(None if part == b"**" and not anywhere else _Segment(part) for part in parts)
    except _Invalid:
        return None
    return Rule(negated, directories_only, anywhere, segments)


def _without_trailing_spaces(line: bytes) -> bytes:
    stripped = line.rstrip(b" ")
    if stripped != line and (len(stripped) - len(stripped.rstrip(b"\\"))) % 2:
        stripped += b" "  # the first of them is quoted
    return stripped


def _match_path(segments: tuple[_Segment | None, ...], components: list[bytes]) -> bool:
    """`**` as a star over components: of several only the last needs to be tried again, so the cost stays quadratic."""
    s = c = 0
    star: tuple[int, int] | None = None
    last = len(segments) - 1
    while c < len(components):
        segment = segments[s] if s <= last else _END
        if segment is None:
            if s == last:
                return True  # "a/**": everything inside
            star = (s, c)
            s += 1
        elif segment is not _END and segment.matches(components[c]):
            s, c = s + 1, c + 1
        elif star is not None:
            s, c = star[0] + 1, star[1] + 1
            star = (star[0], c)
        else:
            return False
    return s > last


def _pieces(text: bytes) -> list[bytes]:
    """A glob cut into `*`, `?`, bracket expressions, quoted bytes (`\\x`) and single bytes."""
    pieces: list[bytes] = []
    at = 0
    while at < len(text):
        end = at + 1
        if text[at : at + 1] == b"\\":
            end = at + 2
            if end > len(text):
                raise _Invalid
        elif text[at : at + 1] == b"[":
            end = _bracket_end(text, at)
        piece = text[at:end]
        if piece != b"*" or not pieces or pieces[-1] != b"*":
            pieces.append(piece)
        at = end
    return pieces


def _bracket_end(text: bytes, at: int) -> int:
    first = at + 2 if text[at + 1 : at + 2] in (b"!", b"^") else at + 1
    end = first
    while end < len(text):
        if text[end : end + 1] == b"]" and end > first:
            return end + 1
        if text[end : end + 2] == b"[:" and (close := text.find(b":]", end + 2)) >= 0:
            end = close + 2
        else:
            end += 2 if text[end : end + 1] == b"\\" else 1
    raise _Invalid  # never closed


def _plain(pieces: list[bytes]) -> bool:
    return not any(piece in (b"*", b"?") or (piece[:1] == b"[") for piece in pieces)


def _compile(pieces: list[bytes]) -> re.Pattern[bytes]:
    """Every star but the last takes as little as it can and never more (an atomic group): what makes the match linear,
    and is right since what stands between stars has one length (as in Python's own fnmatch).
    """
    chunks: list[list[bytes]] = [[]]
    for piece in pieces:
        if piece == b"*":
            chunks.append([])
        else:
            chunks[-1].append(_expression(piece))
    first, *rest = [b"".join(chunk) for chunk in chunks]
    if not rest:
        return re.compile(first, re.S)
    middle = b"".join(b"(?>.*?" + chunk + b")" for chunk in rest[:-1])
    return re.compile(first + middle + b".*" + rest[-1], re.S)


def _expression(piece: bytes) -> bytes:
    if piece == b"?":
        return b"."
    if piece[:1] == b"[":
        return _bracket(piece[1:-1])
    return re.escape(piece[-1:])


def _bracket(inside: bytes) -> bytes:
    negated = inside[:1] in (b"!", b"^")
    if negated:
        inside = inside[1:]
    members: list[bytes] = []
    at = 0
    while at < len(inside):
        if inside[at : at + 2] == b"[:" and (close := inside.find(b":]", at + 2)) >= 0:
            if inside[at + 2 : close] not in _POSIX:
                raise _Invalid
            members.append(_POSIX[inside[at + 2 : close]])
            at = close + 2
            continue
        low, at = _member(inside, at)
        if inside[at : at + 1] == b"-" and at + 1 < len(inside):
            high, at = _member(inside, at + 1)
            # To git an empty range is its first byte.
            members.append(b"\\x%02x-\\x%02x" % (low, max(low, high)))
        else:
            members.append(b"\\x%02x" % low)
    return b"[" + (b"^" if negated else b"") + b"".join(members) + b"]"


def _member(inside: bytes, at: int) -> tuple[int, int]:
    if inside[at : at + 1] == b"\\" and at + 1 < len(inside):
        at += 1
    return inside[at], at + 1


_END = _Segment(b"")
