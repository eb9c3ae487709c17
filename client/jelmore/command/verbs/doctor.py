"""`jelmore doctor`"""

from typing import TYPE_CHECKING

import typer

from jelmore.command.options import JsonOption, UrlOption

if TYPE_CHECKING:
    from jelmore.command.checks import Finding

_MARKS = {"ok": "✓", "note": "·", "bad": "✗"}
_STYLES = {"ok": "green", "note": "yellow", "bad": "red"}


def doctor(url: UrlOption = None, as_json: JsonOption = False) -> None:
    """Check all that Jelmore needs, and say what to do.

    It works while Jelmore runs and while it does not. Exit code 1 where something must be mended.

    \b
    jelmore doctor
    jelmore doctor --url https://jelmore.example.com --json
    """
    from jelmore.command import checks
    from jelmore.command.console import print_json

    found = checks.all_findings(url)
    bad = [finding for finding in found if finding.status == "bad"]
    if as_json:
        print_json({"ok": not bad, "checks": [finding._asdict() for finding in found]})
    else:
        _print(found, len(bad))
    if bad:
        raise typer.Exit(1)


def _print(found: "list[Finding]", bad: int) -> None:
    from jelmore.command.console import print_lines
    from jelmore.command.lines import Line

    widest = max(len(finding.name) for finding in found)
    for one in found:
        print_lines([Line(f"{_MARKS[one.status]} {one.name:<{widest}}  {one.detail}", _STYLES[one.status])])
        if one.remedy:
            print_lines([Line(f"  {'':<{widest}}  → {one.remedy}")])
    print_lines([Line(f"{bad} to be mended" if bad else "nothing is to be mended")])
