"""scripts/find-python.sh, on machines made of a few stand-in interpreters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/find-python.sh"


def interpreter(path: Path, version: str, *, runs: bool = True, spoil: str = "pass") -> Path:
    """A stand-in that answers as that version would, by way of the Python that runs this test."""
    path.parent.mkdir(parents=True, exist_ok=True)
    major, minor = version.split(".")
    answer = f"[ $1 = --version ] && echo Python {version} && exit\n"
    probe = f"import sys; sys.version_info = ({major}, {minor}); sys.executable = '{path}'; {spoil}"
    body = f'{answer}exec {sys.executable} -c "{probe}; exec(sys.argv[1])" "$2"\n' if runs else "exit 127\n"
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)
    return path


class Machine:
    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.home = folder / "home"
        self.bin.mkdir()
        for tool in ("bash", "env", "cat"):
            (self.bin / tool).symlink_to(Path("/usr/bin") / tool)

    def find(self, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.home), **env}
        return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("name", "version"), [("python3.12", "3.12"), ("python3.13", "3.13"), ("python3", "3.14")])
def test_on_path_beside_an_older_default(machine: Machine, name: str, version: str) -> None:
    interpreter(machine.bin / "python3", "3.11")
    path = interpreter(machine.bin / name, version)
    assert machine.find().stdout == f"{path}\n"


def test_in_a_folder_of_pyenv_although_its_shim_is_not_active(machine: Machine) -> None:
    interpreter(machine.bin / "python3", "3.11")
    interpreter(machine.bin / "python3.12", "3.12", runs=False)
    path = interpreter(machine.home / ".pyenv" / "versions" / "3.12.99" / "bin" / "python3.12", "3.12")
    assert machine.find().stdout == f"{path}\n"


def test_the_named_one_first(machine: Machine) -> None:
    interpreter(machine.bin / "python3.12", "3.12")
    path = interpreter(machine.home / "mine", "3.13")
    assert machine.find(PYTHON=str(path)).stdout == f"{path}\n"


@pytest.mark.parametrize("version", ["3.11", None])
def test_a_named_one_that_will_not_do_is_refused(machine: Machine, version: str | None) -> None:
    interpreter(machine.bin / "python3.12", "3.12")
    path = interpreter(machine.home / "mine", version) if version else machine.home / "nowhere"
    found = machine.find(PYTHON=str(path))
    assert (found.returncode, found.stdout) == (1, "")
    assert f"PYTHON={path}" in found.stderr


def test_none_says_what_there_is_and_what_to_install(machine: Machine) -> None:
    interpreter(machine.bin / "python3", "3.11")
    found = machine.find()
    assert (found.returncode, found.stdout) == (1, "")
    assert "Python 3.12 or later" in found.stderr
    assert "found only: Python 3.11" in found.stderr
    assert "apt install" in found.stderr


def test_a_python_that_cannot_make_environments_is_passed_over(machine: Machine) -> None:
    interpreter(machine.bin / "python3.12", "3.12", spoil="sys.modules['ensurepip'] = None")
    path = interpreter(machine.bin / "python3.13", "3.13")
    assert machine.find().stdout == f"{path}\n"


def test_a_python_without_the_venv_module_says_which_package_is_missing(machine: Machine) -> None:
    interpreter(machine.bin / "python3", "3.12", spoil="sys.modules['ensurepip'] = None")
    found = machine.find()
    assert (found.returncode, found.stdout) == (1, "")
    assert "python3-venv" in found.stderr


def test_this_machine_has_one() -> None:
    found = subprocess.check_output([SCRIPT], env={**os.environ, "PYTHON": sys.executable}, text=True, timeout=20)
    assert Path(found.strip()).exists()
