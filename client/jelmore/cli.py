"""The `jelmore` command, where what it is made of is installed: the client alone does without."""

import sys

_PRINTING = ("click", "rich", "shellingham", "typer")


def main() -> None:
    try:
        from jelmore.command.app import main as run
    except ModuleNotFoundError as error:
        if error.name not in _PRINTING:
            raise
        sys.exit(f"jelmore: the command needs {error.name}, which is not installed: pip install 'jelmore[cli]'")
    run()
