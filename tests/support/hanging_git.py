"""A git that never ends by itself."""

import os
from pathlib import Path

import pytest


class HangingGit:
    """The first on PATH; lies in `folder`, which is made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pid = folder / "pid"
        folder.mkdir()
        program = folder / "git"
        program.write_text(f"#!/bin/sh\necho $$ > {self._pid}\nexec sleep 1000\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    @property
    def pid(self) -> int | None:
        """None until it runs."""
        text = self._pid.read_text() if self._pid.exists() else ""
        return int(text) if text.endswith("\n") else None
