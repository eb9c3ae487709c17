"""`jelmore approve` and `jelmore deny`"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jelmore.options import JsonOption, SessionArgument, UrlOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from jelmore.models import Approval

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

    def answer(asked: "Approval") -> dict[str, Any]:
        from jelmore.answers import read_answers
        from jelmore.problems import UsageProblem

        if asked.kind == "question":
            return {"decision": "allow", "answers": read_answers(asked.input, answers or [])}
        if answers:
            raise UsageProblem(f"--answer is for questions, but this is a {asked.kind} ({asked.tool_name})")
        return {"decision": "allow"}

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

    def answer(_: "Approval") -> dict[str, Any]:
        return {"decision": "deny"} | ({"message": message} if message else {})

    _answer(session, approval, answer, url, as_json)


def _answer(
    session: str, approval: str | None, answer: "Callable[[Approval], dict[str, Any]]", url: str | None, as_json: bool
) -> None:
    from jelmore import runtime
    from jelmore.console import hint, print_json
    from jelmore.matching import find_approval
    from jelmore.tools import summary

    with runtime.open_client(url) as client:
        found = runtime.resolve(client, session)
        asked = find_approval(approval, client.approvals(found.id), found.name)
        given = answer(asked)
        client.answer(found.id, asked.approval_id, given)
    if as_json:
        print_json({"session_id": found.id, "approval_id": asked.approval_id, **given})
        return
    what = summary(asked.tool_name, asked.input) if asked.kind == "approval" else f"the {asked.kind}"
    hint(f"answered {what}: {given['decision']}; watch it: jelmore logs -f {found.name}")
