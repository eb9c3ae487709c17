"""What a check finds, as `jelmore doctor` takes it."""

from typing import TypedDict


class Finding(TypedDict):
    """`status`: ok, note (worth knowing) or bad (to be mended). `remedy`: what to do, "" for nothing."""

    name: str
    status: str
    detail: str
    remedy: str


def ok(name: str, detail: str) -> Finding:
    return Finding(name=name, status="ok", detail=detail, remedy="")


def note(name: str, detail: str, remedy: str = "") -> Finding:
    return Finding(name=name, status="note", detail=detail, remedy=remedy)


def bad(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, status="bad", detail=detail, remedy=remedy)


def from_sentence(name: str, sentence: str) -> Finding:
    """Of a StartError: what is wrong, and behind its first colon what to do."""
    detail, _, remedy = sentence.rstrip(".").partition(": ")
    return bad(name, detail, remedy)
