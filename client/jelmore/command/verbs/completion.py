"""`jelmore completion`"""

from enum import StrEnum
from typing import Annotated

import typer

from jelmore.command.options import JsonOption

PROGRAM = "jelmore"
#: Where typer looks for what a shell asks.
VARIABLE = "_JELMORE_COMPLETE"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(help="Which shell.")],
    install: Annotated[
        bool, typer.Option("--install", help="Write it to where the shell finds it, instead of printing it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Complete verbs, options and names of sessions in a shell.

    \b
    jelmore completion bash --install
    source <(jelmore completion bash)
    """
    from typer._completion_shared import get_completion_script
    from typer._completion_shared import install as install_script

    from jelmore.command.console import hint, print_json, print_script
    from jelmore.problems import JelmoreError

    if not install:
        script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)
        if as_json:
            print_json({"shell": shell, "script": script})
        else:
            print_script(script)
        return
    try:
        _, path = install_script(shell=shell, prog_name=PROGRAM, complete_var=VARIABLE)
    except OSError as error:
        raise JelmoreError(f"{error.filename} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"shell": shell, "file": str(path)})
    else:
        hint(f"installed in {path}; start a new {shell} to have it")
