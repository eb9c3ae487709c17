"""`jelmore attach`"""

from jelmore.command.options import SessionArgument, UrlOption


def attach(session: SessionArgument, url: UrlOption = None) -> None:
    """Talk to a session: each line is a prompt; what Claude does and asks is shown, and answered here.

    Ctrl-D leaves; the session goes on.
    """
    from jelmore.command import runtime
    from jelmore.command.console import hint
    from jelmore.command.talking import read_line, talk

    with runtime.open_client(url) as client:
        found = client.find(session)
        hint(f"attached to {found.name}: a line is a prompt, Ctrl-D leaves")
        while prompt := read_line("> "):
            if prompt.strip():
                talk(found, prompt.strip())
        hint(f"the session goes on: jelmore attach {found.name}")
