"""Jelmore as somebody installs it: its wheel in a virtual environment of its own, with what that brings and no more."""

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LOCK = ROOT / "requirements/runtime.txt"
_UV = Path(sysconfig.get_path("scripts")) / "uv"


@dataclass(frozen=True)
class Installed:
    """`wheel` stands in `folder`, an environment without it."""

    folder: Path
    wheel: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def install(self, extra: str = "") -> None:
        """At the versions and hashes of our locks; from where pip has it, unless it lies here already."""
        asked = f"jelmore{extra} @ {self.wheel.as_uri()}"
        command: list[str | Path] = [*(_UV, "pip", "install", "--quiet", "--no-config", "--constraint", _LOCK), asked]
        environment = {**os.environ, "VIRTUAL_ENV": str(self.folder), **_index()}
        if _run([*command, "--offline"], env=environment).returncode != 0:
            done = _run(command, env=environment)
            assert done.returncode == 0, done.stderr

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The environment's Python, with nothing of ours on its path."""
        return _run([self.python, *arguments], env=self._environment(environment))

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return _run([self.folder / "bin/jelmore", *arguments], env=self._environment(environment))

    def check_types(self, folder: Path, *programs: str) -> str:
        """What our own mypy says, which sees the environment's packages and no others."""
        options = ("--strict", "--no-incremental", "--config-file=", "--python-executable", str(self.python))
        return _run([sys.executable, "-m", "mypy", *options, *programs], cwd=folder).stdout

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "PYTHONWARNINGS": "error", **more}


def _run(
    argv: list[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, timeout=110, check=False)


def _index() -> dict[str, str]:
    """uv does not read pip's configuration."""
    asked = _run([sys.executable, "-m", "pip", "config", "get", "global.index-url"]).stdout.strip()
    return {"UV_DEFAULT_INDEX": asked} if asked and "UV_DEFAULT_INDEX" not in os.environ else {}


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    built = _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")], cwd=ROOT)
    assert built.returncode == 0, built.stderr
    [wheel] = (tmp_path / "dist").glob("*.whl")
    made = _run([_UV, "venv", "--quiet", "--no-config", "--python", sys.executable, str(tmp_path / "env")])
    assert made.returncode == 0, made.stderr
    return Installed(tmp_path / "env", wheel)
