"""`jelmore diff`"""

from jelmore.command.options import JsonOption, SessionArgument, UrlOption


def diff(session: SessionArgument, url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Show what a session changed in its workspace, as a patch.

    \b
    jelmore diff demo
    jelmore diff demo > demo.patch
    """
    from jelmore.command import runtime
    from jelmore.command.console import hint, print_json, print_patch
    from jelmore.text import counted

    with runtime.open_client(url) as client:
        found = client.find(session).diff()
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_patch(found.patch)
    cut = "; not whole, since it is too large" if found.truncated else ""
    hint(
        f"{counted(found.files, 'file')} changed: {counted(found.insertions, 'line')} more, {found.deletions} less{cut}"
    )
