"""A conversation on a terminal, or with a program that writes lines: what `attach` does with each."""

import sys

from jelmore.blocking import Session
from jelmore.command.console import hint
from jelmore.command.following import Form, print_event
from jelmore.models import Answer, Approval, allow, deny
from jelmore.problems import TurnFailed

_YES = ("y", "yes")


def read_line(shown: str) -> str:
    """With its newline; "" at the end of the input."""
    if sys.stdin.isatty():
        sys.stderr.write(shown)
        sys.stderr.flush()
    return sys.stdin.readline()


def talk(session: Session, prompt: str) -> None:
    """Sends it and prints until Claude is done. Raises JelmoreError, but for a turn that failed: that is said."""
    receipt = session.send(prompt)
    try:
        session.result(
            receipt, on_event=lambda event: print_event(session, event, Form.PEOPLE), on_approval=_decide, timeout=None
        )
    except TurnFailed as error:
        hint(error.detail)


def _decide(approval: Approval) -> Answer | None:
    """What is asked was printed before. None where nobody answers here any more: it waits for somebody else."""
    if approval.kind != "question":
        said = read_line("allow it? [y/n] ")
        return None if not said else allow() if said.strip().lower() in _YES else deny("The user said no.")
    answers: dict[str, str] = {}
    for asked in approval.input.get("questions", []):
        said = read_line(f"{asked['question']} ")
        if not said:
            return None
        answers[asked["question"]] = said.strip()
    return allow(answers=answers)
