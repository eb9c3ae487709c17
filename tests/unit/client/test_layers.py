"""What the client needs, and when it loads it."""

import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[3] / "client" / "jelmore"
MODULES = sorted(
    ".".join(path.relative_to(CLIENT.parent).with_suffix("").parts)
    for path in CLIENT.rglob("*.py")
    if path.stem not in ("__init__", "__main__")
)


def loaded(start: str, asked: set[str]) -> set[str]:
    """Which of the modules a fresh Python has loaded after `start`."""
    code = f"{start}\nimport sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return asked & {name.split(".")[0] for name in done.stderr.split()}


OTHERS = {"msgspec", "nats", "nkeys", "uvloop", "fastapi", "sqlalchemy", "redis", "orjson"}
PARTS = {"jelmore_agent", "jelmore_operator", "jelmore_api", "jelmore_local"}
PRINTING = {"typer", "click", "rich", "shellingham"}


def test_the_client_and_its_command_load_no_other_part_nor_what_that_needs() -> None:
    assert loaded(f"import {', '.join(MODULES)}", OTHERS | PARTS) == set()


def test_the_client_works_with_nothing_but_the_base_install() -> None:
    # As if they were not installed: httpx loads what it finds of the last ones by itself.
    absent = f"import sys\nfor name in {sorted(OTHERS | PARTS | PRINTING)}: sys.modules[name] = None"
    start = f"{absent}\nimport jelmore\nfor name in dir(jelmore): getattr(jelmore, name)\njelmore.Jelmore().close()"
    assert loaded(start, {"httpx", "pydantic", "websockets"}) == {"httpx", "pydantic", "websockets"}


def test_without_what_it_prints_with_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['typer'] = None\nfrom jelmore.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "jelmore: the command needs typer, which is not installed: pip install 'jelmore[cli]'\n"


def test_help_waits_for_nothing_that_is_slow_to_import() -> None:
    start = "import sys; sys.argv[1:] = ['--help']\nfrom jelmore.cli import main\ntry: main()\nexcept SystemExit: pass"
    assert loaded(start, {"httpx", "pydantic", "rich", "websockets", "asyncio", "email"}) == set()
