"""`jelmore retry`"""

from jelmore.command.options import JsonOption, SessionArgument, UrlOption


def retry(session: SessionArgument, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Have a failed session tried again.

    \b
    jelmore show demo
    jelmore retry demo && jelmore wait demo
    """
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json

    with runtime.open_client(url) as client:
        found = client.find(session)
        found.retry()
    if as_json:
        print_json({"session_id": found.id, "retried": True})
    else:
        hint(f"{found.name} is tried again: jelmore wait {found.name}")
