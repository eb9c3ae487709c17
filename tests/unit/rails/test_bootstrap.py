"""scripts/bootstrap.sh, with a python and a uv that only write down what they were asked to do."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]

PYTHON = """#!/usr/bin/env bash
cd "{checkout}"
case "$*" in
    --version) echo Python 3.12.99 ;;
    "-m venv .venv") echo venv >>log
        mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp uv .venv/bin/uv ;;
    *"pip install"*) echo tool >>log ;;
    *) exit 1 ;;
esac
"""

UV = """#!/usr/bin/env bash
cd "{checkout}"
echo "$2 ${{*: -1}}" >>log
if [ -e hold ]; then
    sleep 60 &
    echo $! >held
    wait
fi
[ ! -e fail ]
"""


class Checkout:
    """A folder with the script, small locks and the two stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scripts").mkdir(parents=True)
        (folder / "requirements").mkdir()
        shutil.copy(ROOT / "scripts/bootstrap.sh", folder / "scripts/bootstrap.sh")
        for name in ("uv", "runtime", "dev"):
            (folder / f"requirements/{name}.txt").write_text(f"{name}==1\n")
        (folder / "pyproject.toml").write_text("")
        self.script("scripts/find-python.sh", f"#!/bin/sh\necho {folder}/python\n")
        self.script("python", PYTHON.format(checkout=folder))
        self.script("uv", UV.format(checkout=folder))

    def script(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def start(self, *arguments: str, python: str = "") -> subprocess.Popen[str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHON": python}
        return subprocess.Popen(
            [self.folder / "scripts/bootstrap.sh", *arguments],
            cwd="/",
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, python: str = "") -> tuple[int, str]:
        with self.start(*arguments, python=python) as process:
            out, _ = process.communicate(timeout=20)
        return process.returncode, out

    def steps(self) -> list[str]:
        """What was done since this was asked last: venv, tool (uv), sync LOCK, install."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a checkout")


def wait_for(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit, "waited 10 s in vain"
        time.sleep(0.01)


def ended(pid: int) -> bool:
    """An orphan's remains are init's to clear away, which may take a while."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


ALL = ["venv", "tool", "sync", "install"]


def test_makes_the_environment_once_and_becomes_the_command(checkout: Checkout) -> None:
    assert checkout.run("runtime", "--", "echo", "up", "--port 1") == (0, "up --port 1\n")
    assert checkout.steps() == ALL
    assert checkout.run("runtime", "--", "false")[0] == 1
    assert checkout.steps() == []


def test_the_environment_for_development_serves_running_too(checkout: Checkout) -> None:
    checkout.run("dev")
    checkout.steps()
    assert checkout.run("runtime")[0] == 0
    assert checkout.steps() == []


@pytest.mark.parametrize("changed", ["requirements/runtime.txt", "requirements/uv.txt", "pyproject.toml"])
def test_a_change_of_what_it_is_made_from_is_installed(checkout: Checkout, changed: str) -> None:
    checkout.run("runtime")
    checkout.steps()
    (checkout.folder / changed).write_text("changed==2\n")
    assert checkout.run("runtime")[0] == 0
    assert checkout.steps() == ["tool", "sync", "install"]


def test_another_python_is_taken_only_where_one_is_named(checkout: Checkout) -> None:
    named = str(checkout.folder / "python")
    checkout.run("runtime", python=named)
    checkout.steps()
    assert checkout.run("runtime")[0] == 0
    assert checkout.steps() == []
    assert checkout.run("runtime", python="python3.13")[0] == 0
    assert checkout.steps() == ALL


def test_a_folder_that_was_moved_gets_an_environment_of_its_own(checkout: Checkout) -> None:
    checkout.run("runtime")
    checkout.steps()
    (checkout.folder / ".venv/.made-for").write_text("/elsewhere\n/elsewhere/python\n")
    assert checkout.run("runtime")[0] == 0
    assert checkout.steps() == ALL


def test_a_failed_installation_is_not_taken_for_a_whole_one(checkout: Checkout) -> None:
    (checkout.folder / "fail").touch()
    assert checkout.run("runtime", "--", "echo", "up") == (1, "")
    checkout.steps()
    (checkout.folder / "fail").unlink()
    assert checkout.run("runtime", "--", "echo", "up") == (0, "up\n")
    assert checkout.steps() == ALL


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_half_way_ends_every_process_and_the_next_run_starts_afresh(
    checkout: Checkout, ending: signal.Signals
) -> None:
    (checkout.folder / "hold").touch()
    held = checkout.folder / "held"
    with checkout.start("runtime", "--", "echo", "up") as process:
        wait_for(lambda: held.exists() and held.read_text().endswith("\n"))
        process.send_signal(ending)
        assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 128 + ending
    wait_for(lambda: ended(int(held.read_text())))
    (checkout.folder / "hold").unlink()
    checkout.steps()
    assert checkout.run("runtime")[0] == 0
    assert checkout.steps() == ALL


def test_two_at_once_make_it_once(checkout: Checkout) -> None:
    with (
        checkout.start("runtime", "--", "echo", "one") as one,
        checkout.start("runtime", "--", "echo", "two") as two,
    ):
        outputs = [process.communicate(timeout=20)[0] for process in (one, two)]
    assert outputs == ["one\n", "two\n"]
    assert checkout.steps() == ALL


def test_an_unknown_profile_is_a_usage_error(checkout: Checkout) -> None:
    assert checkout.run("production")[0] == 2
    assert checkout.steps() == []


def test_make_up_is_one_process_that_is_told_of_sigterm_and_waited_for(checkout: Checkout) -> None:
    shutil.copy(ROOT / "Makefile", checkout.folder / "Makefile")
    checkout.run("runtime")
    checkout.script(
        ".venv/bin/jelmore",
        "#!/usr/bin/env bash\n"
        "trap 'echo in order >stopped; kill $!; exit 0' TERM\n"
        "sleep 60 & echo $$ $PPID >up\n"
        "wait\n",
    )
    up = checkout.folder / "up"
    env = {"PATH": os.environ["PATH"], "HOME": str(checkout.folder)}
    with subprocess.Popen(["make", "up"], cwd=checkout.folder, env=env, stderr=subprocess.DEVNULL) as make:
        wait_for(lambda: up.exists() and up.read_text().endswith("\n"))
        process, parent = up.read_text().split()
        assert int(parent) == make.pid, "a shell between make and jelmore would keep SIGTERM to itself"
        make.terminate()
        make.wait(timeout=20)
    assert (checkout.folder / "stopped").read_text() == "in order\n"
    assert ended(int(process))
