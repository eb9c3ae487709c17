"""`jelmore send`"""

from typing import Annotated

import typer

from jelmore.options import FollowOption, JsonOption, SessionArgument, TimeoutOption, UrlOption, WaitOption
from jelmore.problems import UsageProblem


def send(
    session: SessionArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What Claude is to do; - reads it from stdin.")],
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", help="Your own name for this input: sent again with it, it runs once."),
    ] = None,
    wait: WaitOption = False,
    follow: FollowOption = False,
    timeout: TimeoutOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a session its next prompt; one that hibernates wakes.

    While Claude works, it is taken in as soon as Claude can.
    """
    from jelmore import runtime
    from jelmore.console import hint, print_json, print_lines
    from jelmore.following import Form, follow_input
    from jelmore.lines import block

    if wait and follow:
        raise UsageProblem("--wait and --follow: choose one")
    prompt = runtime.read_text(text, "TEXT")
    with runtime.open_client(url) as client:
        found = runtime.resolve(client, session)
        receipt = client.send(found.id, prompt, key)
        told = receipt.model_dump(mode="json")
        if not (wait or follow):
            if as_json:
                print_json(told)
            else:
                hint(f"sent, {receipt.state}; watch it: jelmore logs -f {found.name}")
            return
        form = (Form.JSON if as_json else Form.PEOPLE) if follow else Form.ASKED
        turn = follow_input(client, found, receipt, form, timeout)
    if wait and as_json:
        print_json({**told, "state": "completed", "result": turn.result})
    elif wait and turn.result:
        print_lines(block(turn.result))
