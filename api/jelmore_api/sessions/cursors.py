"""Where a page of sessions ended, as a client gives it back. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import StringConstraints

from jelmore_api.sessions.repository import Place

#: Microseconds since 1970, and a session's id.
Cursor = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,16}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]

_START = datetime.fromtimestamp(0, UTC)
_UNIT = timedelta(microseconds=1)


def cursor_of(place: Place) -> str:
    return f"{(place.created_at - _START) // _UNIT}-{place.session_id}"


def place_of(cursor: str) -> Place:
    """cursor: a Cursor."""
    moment, _, session_id = cursor.partition("-")
    return Place(_START + int(moment) * _UNIT, session_id)
