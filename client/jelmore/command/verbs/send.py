"""`jelmore send`"""

from typing import Annotated

import typer

from jelmore.command.options import FollowOption, JsonOption, SessionArgument, TimeoutOption, UrlOption, WaitOption
from jelmore.problems import InvalidRequest


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
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json
    from jelmore.command.following import follow_turn, form_of, print_result

    if wait and follow:
        raise InvalidRequest("--wait and --follow: choose one")
    prompt = runtime.read_text(text, "TEXT")
    with runtime.open_client(url) as client:
        found = client.find(session)
        receipt = found.send(prompt, key=key)
        told = receipt.model_dump(mode="json")
        if wait or follow:
            result = follow_turn(found, receipt, form_of(follow, as_json), timeout)
            if wait and as_json:
                print_json({**told, "state": "completed", "result": result.text})
            elif wait:
                print_result(result)
        elif as_json:
            print_json(told)
        else:
            hint(f"sent, {receipt.state}; watch it: jelmore logs -f {found.name}")
