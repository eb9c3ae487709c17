"""`jelmore approve` and `jelmore deny`"""

from typing import TYPE_CHECKING, Annotated

import typer

from jelmore.command.options import JsonOption, SessionArgument, UrlOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from jelmore.models import Answer, Approval

ApprovalArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="APPROVAL", help="Its id, or how that begins; not needed where only one is open.", show_default=False
    ),
]


def approve(
    session: SessionArgument,
    approval: ApprovalArgument = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer",
            metavar='"QUESTION=ANSWER"',
            help="To Claude's question: its text, header or number, and an option or any text; may be repeated.",
        ),
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allow what Claude asks for, or answer its question."""

    def answer(asked: "Approval") -> "Answer":
        from jelmore.command.answers import read_answers
        from jelmore.models import allow
        from jelmore.problems import InvalidRequest

        if asked.kind == "question":
            return allow(answers=read_answers(asked.input, answers or []))
        if answers:
            raise InvalidRequest(f"--answer is for questions, but this is a {asked.kind} ({asked.tool_name})")
        return allow()

    _answer(session, approval, answer, url, as_json)


def deny(
    session: SessionArgument,
    approval: ApprovalArgument = None,
    message: Annotated[
        str | None, typer.Option("--message", help="Why not, or what to do instead; Claude reads it.")
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deny what Claude asks for; it goes on without."""

    def answer(_: "Approval") -> "Answer":
        from jelmore.models import deny as denied

        return denied(message)

    _answer(session, approval, answer, url, as_json)


def _answer(
    session: str, approval: str | None, answer: "Callable[[Approval], Answer]", url: str | None, as_json: bool
) -> None:
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json
    from jelmore.command.tools import summary
    from jelmore.matching import find_approval

    with runtime.open_client(url) as client:
        found = client.find(session)
        asked = find_approval(approval, found.approvals(), found.name)
        given = answer(asked)
        found.answer(asked, given)
    if as_json:
        print_json({"session_id": found.id, "approval_id": asked.approval_id, **given.model_dump(exclude_none=True)})
        return
    what = summary(asked.tool_name, asked.input) if asked.kind == "approval" else f"the {asked.kind}"
    hint(f"answered {what}: {given.decision}; watch it: jelmore logs -f {found.name}")
