"""A client that was generated from the API's description alone, and a program that somebody wrote with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.client_generator import ClientGenerator
from tests.support.up import Up

PROGRAM = Path(__file__).parents[2] / "data/generated_client/program.py"


def check_types(folder: Path, python: Path) -> None:
    """Of the program, by what the generated package says of its own."""
    mypy: list[str | Path] = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--python-executable", python]
    # The package has a cast too many.
    mypy.append("--no-warn-redundant-casts")
    done = subprocess.run(
        [*mypy, "--cache-dir", folder / "mypy", PROGRAM],
        env={**os.environ, "MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_program_with_a_generated_client(up: Up, client_generator: ClientGenerator, tmp_path: Path) -> None:
    up.start()
    description, package = tmp_path / "openapi.json", tmp_path / "client"
    description.write_text(json.dumps(up.call("GET", "/api/v1/openapi.json")))
    client_generator.generate(description, package)
    check_types(package, client_generator.python)
    client_generator.run(PROGRAM, up.url, PYTHONPATH=str(package))
    assert up.stop()[0] == 0
