"""Payloads that were too large for their event, put back into it. Pure."""

import base64
import json

from jelmore.events import Event, read_event
from jelmore.values import string


def blob_of(event: Event) -> str | None:
    """The name of the blob that the payload lies in."""
    return string(dict(event.payload), "blob") or None if event.encoding == "blob" else None


def with_payload(event: Event, content: bytes) -> Event:
    """The event with a payload that was kept elsewhere put in its place, as if it had not been too large."""
    head, mark, _ = event.text.partition('"encoding":"blob",')
    if not mark:
        return event
    if _is_json(content):
        text = f'{head}"payload":{content.decode()}}}'
    else:
        text = f'{head}"encoding":"base64","payload":{{"base64":"{base64.b64encode(content).decode()}"}}}}'
    return read_event(json.loads(text), text)


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
