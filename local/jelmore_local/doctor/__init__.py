"""What this machine has of all that `jelmore up` needs: for `jelmore doctor`, while it runs and while it does not."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jelmore_local.doctor.finding import Finding, bad, from_sentence
from jelmore_local.doctor.machine import data_folder, files, git, inotify, port
from jelmore_local.doctor.programs import claude, model, python
from jelmore_local.doctor.services import servers
from jelmore_local.servers import StartError
from jelmore_local.settings import Settings, parse_settings, read_environment

_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    *(python, claude, git, model, servers),
    *(data_folder, port, inotify, files),
)


def checks(environment: Mapping[str, str], folder: Path | None = None) -> Iterator[Finding]:
    """`folder`: the one with a file `.env`. What fails in a check is a finding too."""
    try:
        settings = parse_settings(read_environment(environment, (folder or Path.cwd()) / ".env"))
    except StartError as error:
        yield from_sentence("settings", str(error))
        return
    for check in _CHECKS:
        try:
            yield from check(settings)
        except StartError as error:
            yield from_sentence(check.__name__.replace("_", " "), str(error))
        except OSError as error:
            name = check.__name__.replace("_", " ")
            yield bad(name, f"it cannot be checked: {error}", "see that the user who starts Jelmore may read it")
