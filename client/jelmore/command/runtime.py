"""What commands do first: find Jelmore, read their text."""

import sys

from jelmore.blocking import Jelmore
from jelmore.problems import InvalidRequest


def open_client(url: str | None, *, timeout: float = 30.0, retries: int = 5) -> Jelmore:
    """Raises JelmoreError."""
    return Jelmore(url, timeout=timeout, retries=retries)


def read_text(given: str, what: str) -> str:
    """`-`: from stdin. Raises InvalidRequest for nothing at all."""
    text = sys.stdin.read() if given == "-" else given
    if not text.strip():
        raise InvalidRequest(f"{what} is empty: write what Claude is to do")
    return text
