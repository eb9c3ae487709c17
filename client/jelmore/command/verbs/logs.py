"""`jelmore logs`"""

from typing import Annotated

import typer

from jelmore.command.options import JsonOption, SessionArgument, UrlOption
from jelmore.problems import InvalidRequest


def logs(
    session: SessionArgument,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what happens, until it ends.")] = False,
    after: Annotated[
        int, typer.Option("--after", metavar="SEQ", min=0, help="Only events with a greater seq (see --json).")
    ] = 0,
    raw: Annotated[bool, typer.Option("--raw", help="Only what Claude Code printed, byte for byte.")] = False,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print all that a session said and did, also after its end.

    With --json, one event a line.
    """
    from jelmore.command import runtime
    from jelmore.command.following import Form, print_log

    if raw and as_json:
        raise InvalidRequest("--raw and --json: choose one")
    form = Form.RAW if raw else Form.JSON if as_json else Form.PEOPLE
    with runtime.open_client(url) as client:
        found = client.find(session)
        try:
            print_log(found, after, form, follow)
        except KeyboardInterrupt:
            if not follow:
                raise
