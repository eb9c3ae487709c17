"""Prints the requirements of extras, one a line: `scripts/extras.py session` for what a session's image installs.

Unlike `pip install jelmore[session]` without what every install brings, which is the client.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def extra_requirements(names: list[str], pyproject: Path = ROOT / "pyproject.toml") -> list[str]:
    """What the extras bring, sorted; an extra that names others brings theirs. Raises KeyError for one that is none."""
    extras: dict[str, list[str]] = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    found = set[str]()
    for requirement in [line for name in names for line in extras[name]]:
        ours = re.fullmatch(r"jelmore\[([a-z,]+)\]", requirement)
        found.update(extra_requirements(ours[1].split(","), pyproject) if ours else [requirement])
    return sorted(found)


if __name__ == "__main__":
    print("\n".join(extra_requirements(sys.argv[1:])))
