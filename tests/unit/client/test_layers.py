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


def test_the_client_loads_nothing_but_the_base_install() -> None:
    others = {"msgspec", "nats", "nkeys", "uvloop", "fastapi", "sqlalchemy", "redis", "orjson"}
    parts = {"jelmore_agent", "jelmore_operator", "jelmore_api", "jelmore_local"}
    assert loaded(f"import {', '.join(MODULES)}", others | parts) == set()


def test_help_waits_for_nothing_that_is_slow_to_import() -> None:
    start = "import sys; sys.argv[1:] = ['--help']\nfrom jelmore.cli import main\ntry: main()\nexcept SystemExit: pass"
    assert loaded(start, {"httpx", "pydantic", "rich", "websockets", "asyncio", "email"}) == set()
