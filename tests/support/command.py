"""The `jelmore` command as a program, as a user's shell runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.up import Up

#: For whatever a command waits for.
LIMIT_S = 90.0


@dataclass
class Command:
    """Finds the service by its data folder."""

    home: Path
    background: list[subprocess.Popen[str]] = field(default_factory=list)

    def spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "jelmore", *arguments],
            cwd=self.home.parent,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home.parent), "JELMORE_HOME": str(self.home)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.background.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it printed on stdout, or, where it is to fail, on stderr."""
        out, err = self.spawn(*arguments).communicate(timeout=LIMIT_S)
        assert self.background.pop().returncode == code, (out, err)
        return out if code == 0 else err

    def type_into(self, typed: str, *arguments: str) -> tuple[str, str]:
        """What it printed on stdout and stderr when that was typed."""
        out, err = self.spawn(*arguments, stdin=subprocess.PIPE).communicate(typed, timeout=LIMIT_S)
        assert self.background.pop().returncode == 0, (out, err)
        return out, err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What it printed on stdout."""
        out, err = self.spawn(*arguments, "--json").communicate(timeout=LIMIT_S)
        assert self.background.pop().returncode == code, (out, err)
        return json.loads(out)


@pytest.fixture
def jelmore(up: Up) -> Iterator[Command]:
    command = Command(up.home)
    yield command
    for process in command.background:
        process.kill()
        process.communicate()
