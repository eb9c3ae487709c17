"""Prints a hash of everything in pyproject.toml that the locks in requirements/ are compiled from.

`scripts/lock.sh` writes it into each lock, so that a test can tell without a network that a lock is older
than the dependencies it was made for.
"""

import hashlib
import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lock_inputs(pyproject: Path = ROOT / "pyproject.toml") -> str:
    """The SHA-256, in hex, of the tables that name dependencies. The file's order and format do not count."""
    document = tomllib.loads(pyproject.read_text())
    project = document["project"]
    inputs = {
        "requires-python": project["requires-python"],
        "dependencies": project["dependencies"],
        "optional-dependencies": project["optional-dependencies"],
        "dependency-groups": document["dependency-groups"],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    print(lock_inputs())
