"""Following a session from a command: what `--wait`, `--follow` and `logs` share."""

from enum import Enum

import typer

from jelmore.blocking import Session
from jelmore.command.console import hint, print_bytes, print_hints, print_json_line, print_lines
from jelmore.command.lines import block
from jelmore.command.render import render
from jelmore.events import ApprovalRequested, Event, Output
from jelmore.models import InputReceipt, TurnResult
from jelmore.problems import SessionFailed


class Form(Enum):
    """How events are printed. RAW: the CLI's own lines. ASKED: only what Claude asks, as a hint."""

    PEOPLE = "people"
    JSON = "json"
    RAW = "raw"
    ASKED = "asked"


def form_of(follow: bool, as_json: bool) -> Form:
    """Of `--follow` and `--json`."""
    return (Form.JSON if as_json else Form.PEOPLE) if follow else Form.ASKED


def print_event(session: Session, event: Event, form: Form) -> None:
    match form:
        case Form.PEOPLE:
            print_lines(render(event.body, session.name))
        case Form.JSON:
            print_json_line(event.text)
        case Form.ASKED if isinstance(event, ApprovalRequested):
            print_hints(render(event.body, session.name))
        case Form.RAW if isinstance(event, Output):
            print_bytes(session.content(event))
        case _:
            pass


def print_log(session: Session, after: int, form: Form, follow: bool) -> None:
    """Raises JelmoreError."""
    for event in session.stream(after, follow=follow, on_lost=say_lost):
        print_event(session, event, form)


def follow_turn(session: Session, receipt: InputReceipt | None, form: Form, timeout: float | None) -> TurnResult:
    """Prints until the turn is over. Raises JelmoreError."""
    try:
        return session.result(receipt, on_event=lambda event: print_event(session, event, form), timeout=timeout)
    except KeyboardInterrupt:
        hint(f"the session goes on: jelmore logs -f {session.name}")
        raise typer.Exit(130) from None
    except SessionFailed as error:
        raise SessionFailed(f"{error.detail} (jelmore logs {session.name} shows all)") from error


def print_result(result: TurnResult) -> None:
    """What Claude said in the end."""
    if result.text:
        print_lines(block(result.text))


def say_lost() -> None:
    hint("the connection was lost: trying again …")
