"""A generator of clients, with what these run on: in an environment of its own, kept in the tests' cache."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster import cache

_LOCK = cache.ROOT / "requirements/generator.txt"


@dataclass(frozen=True)
class ClientGenerator:
    """`python`: of its environment, in which a generated client can be imported, too."""

    python: Path

    def generate(self, description: Path, folder: Path) -> None:
        """The project of a package `jelmore_client` into a new folder. A warning is an error."""
        options = ["--path", str(description), "--output-path", str(folder), "--fail-on-warning"]
        # It calls ruff, to be found beside it.
        path = f"{self.python.parent}:{os.environ['PATH']}"
        self.run("-m", "openapi_python_client", "generate", *options, PATH=path)

    def run(self, *arguments: str | Path, **environment: str) -> None:
        """Raises AssertionError, with all that was printed, where it fails."""
        done = subprocess.run(
            [self.python, "-W", "error", *arguments],
            env={"PATH": os.environ["PATH"], **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _install(folder: Path) -> None:
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "--python", str(folder / "bin/python")]
    options = ["--no-compile", "--require-hashes", "--only-binary", ":all:", "--requirement", str(_LOCK)]
    subprocess.run([*pip, "install", *options], check=True)


@pytest.fixture(scope="session")
def client_generator() -> ClientGenerator:
    with cache.lock("client-generator"):
        made = cache.made(f"client-generator-{cache.key(sys.version, sys.base_prefix, files=[_LOCK])}", _install)
        cache.keep_newest("client-generator-")
    return ClientGenerator(made / "bin/python")
