"""What commands do first: find Jelmore, find the session, read their text."""

import os
import sys

from jelmore.api import Client
from jelmore.config import find_target
from jelmore.matching import find_session, full_id
from jelmore.models import Session
from jelmore.problems import UsageProblem


def open_client(url: str | None) -> Client:
    """Raises JelmoreError."""
    return Client(find_target(url, os.environ))


def resolve(client: Client, given: str) -> Session:
    """`given`: name, id, or the beginning of an id. Raises JelmoreError."""
    if (session_id := full_id(given)) is not None:
        return client.session(session_id)
    return find_session(given, client.sessions())


def read_text(given: str, what: str) -> str:
    """`-`: from stdin. Raises UsageProblem for nothing at all."""
    text = sys.stdin.read() if given == "-" else given
    if not text.strip():
        raise UsageProblem(f"{what} is empty: write what Claude is to do")
    return text
