"""`jelmore up` as a program, as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.processes import kill_all_of, processes_of, wait_for

#: A start on a machine that runs other tests besides.
START_LIMIT_S = 60.0
_STOP_LIMIT_S = 60.0


@dataclass
class Up:
    """`home` is its data folder. Nothing of the environment that the tests run in reaches it but PATH."""

    home: Path
    port: int
    extra: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def spawn(self) -> subprocess.Popen[str]:
        """Does not wait."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home.parent),
            "JELMORE_HOME": str(self.home),
            "JELMORE_PORT": str(self.port),
            **self.extra,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jelmore_local"],
            cwd=self.home.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def start(self) -> float:
        """Returns once it serves: after how many seconds."""
        began = time.monotonic()
        process = self.spawn()
        # Its last act of a start.
        wait_for(lambda: (self.home / "endpoints.json").exists() or process.poll() is not None, START_LIMIT_S)
        assert process.poll() is None, process.communicate()
        return time.monotonic() - began

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Waits for the end: exit code, stdout, stderr."""
        assert self.process is not None
        out, err = self.process.communicate(timeout=_STOP_LIMIT_S)
        return self.process.returncode, out, err

    def stop(self) -> tuple[int, str, str]:
        self.signal(signal.SIGTERM)
        return self.end()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. Raises HTTPError."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def answers(self) -> bool:
        """Whether everything that the API needs is there."""
        try:
            self.call("GET", "/readyz")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def endpoints(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.home / "endpoints.json").read_text())
        return document

    def pid_of(self, key: str) -> int:
        """Of the child that holds this lock."""
        return int((self.home / "run" / f"{key}.lock").read_text())


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Not started. What is left of it at the end is killed, and makes the test fail."""
    running = Up(tmp_path / "home", free_port())
    yield running
    left = processes_of(running.home)
    kill_all_of(running.home)
    if running.process is not None:
        running.process.communicate()
    assert left == set()
