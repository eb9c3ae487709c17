"""Following a session from a command: what `--wait`, `--follow` and `logs` share."""

import base64
import binascii
import time
from enum import Enum

import typer

from jelmore.api import Client
from jelmore.console import hint, print_bytes, print_hints, print_json_line, print_lines
from jelmore.lines import mapping, string
from jelmore.models import InputReceipt, Session
from jelmore.problems import SessionFailed
from jelmore.render import render
from jelmore.stream import Event, Ready, Stream
from jelmore.turn import Turn
from jelmore_contract.states import TERMINAL_INPUT_STATES, InputState


class Form(Enum):
    """How events are printed. RAW: the CLI's own lines. ASKED: only what Claude asks, as a hint."""

    PEOPLE = "people"
    JSON = "json"
    RAW = "raw"
    ASKED = "asked"


def print_event(client: Client, session: Session, event: Event, form: Form) -> None:
    match form:
        case Form.PEOPLE:
            print_lines(render(event.body, session.name))
        case Form.JSON:
            print_json_line(event.text)
        case Form.ASKED if event.body["event_type"] == "session.approval_requested":
            print_hints(render(event.body, session.name))
        case Form.RAW if event.body["event_type"] == "session.output":
            print_bytes(_line(client, session, event))
        case _:
            pass


def _line(client: Client, session: Session, event: Event) -> bytes:
    """What the CLI printed, byte for byte. Raises JelmoreError."""
    payload = mapping(event.body, "payload")
    match event.body.get("encoding"):
        case "blob":
            return client.blob(session.id, string(payload, "blob"))
        case "base64":
            try:
                return base64.b64decode(string(payload, "base64"), validate=True)
            except binascii.Error:
                return event.raw_payload.encode()
        case _:
            return event.raw_payload.encode()


def print_log(client: Client, session: Session, after: int, form: Form, follow: bool) -> None:
    """Raises JelmoreError."""
    for came in Stream(client.target, session.id, after, lost=_say_lost):
        if isinstance(came, Event):
            print_event(client, session, came, form)
        elif not follow:
            return


def follow_turn(
    client: Client, session: Session, turn: Turn, form: Form, after: int = 0, timeout: float | None = None
) -> None:
    """Prints until the turn is over. Raises JelmoreError: SessionFailed where it went wrong, TimedOut."""
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        for came in Stream(client.target, session.id, after, deadline=deadline, lost=_say_lost):
            if isinstance(came, Ready):
                continue
            turn.take(came.body)
            if turn.begun:
                print_event(client, session, came, form)
            if turn.over:
                break
    except KeyboardInterrupt:
        hint(f"the session goes on: jelmore logs -f {session.name}")
        raise typer.Exit(130) from None
    if turn.failure:
        raise SessionFailed(f"{turn.failure} (jelmore logs {session.name} shows all)")


def follow_input(client: Client, session: Session, receipt: InputReceipt, form: Form, timeout: float | None) -> Turn:
    """Of an input that was sent before this call. Raises JelmoreError, as follow_turn."""
    turn = Turn(receipt.input_id, state=session.status)
    if receipt.state in TERMINAL_INPUT_STATES:
        if receipt.state != InputState.COMPLETED:
            raise SessionFailed(f"the input was {receipt.state} (jelmore logs {session.name} shows all)")
        hint("this input was done before")
        return turn
    follow_turn(client, session, turn, form, _before(client, session, receipt), timeout)
    return turn


def _before(client: Client, session: Session, receipt: InputReceipt) -> int:
    """A place of the log with all events of the input after it: right before its first, or at the last input's."""
    last = 0
    for event in client.events(session.id, types=("session.input",)):
        if mapping(event, "payload").get("input_id") == receipt.input_id:
            return int(event["seq"]) - 1
        last = int(event["seq"])
    return last


def _say_lost() -> None:
    hint("the connection was lost: trying again …")
