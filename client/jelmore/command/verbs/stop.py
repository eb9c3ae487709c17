"""`jelmore interrupt` and `jelmore delete`"""

from jelmore.command.options import JsonOption, SessionArgument, UrlOption


def interrupt(session: SessionArgument, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Stop the turn; the session goes on."""
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json

    with runtime.open_client(url) as client:
        found = client.find(session)
        found.interrupt()
    if as_json:
        print_json({"session_id": found.id, "interrupted": True})
    else:
        hint(f'{found.name} was asked to stop its turn; go on: jelmore send {found.name} "…"')


def delete(session: SessionArgument, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """End a session for good; its log stays readable."""
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json

    with runtime.open_client(url) as client:
        found = client.find(session)
        found.delete()
    if as_json:
        print_json({"session_id": found.id, "deleted": True})
    else:
        hint(f"{found.name} was asked to end; its log: jelmore logs {found.id[:8]}")
