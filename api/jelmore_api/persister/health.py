"""How each thing that the API depends on is, as the persister sees it."""

from typing import NamedTuple


class Health(NamedTuple):
    """`message`: for a person; it says what is wrong."""

    ok: bool
    message: str = ""


def describe(error: BaseException) -> str:
    """Short and without addresses or secrets: the kind of error, and its own first line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
