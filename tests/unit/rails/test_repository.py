"""Rules for the repository's own files."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from jelmore_api.settings import Settings
from scripts.lock_inputs import lock_inputs

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PACKAGES = [
    "contract/jelmore_contract",
    "contract/jelmore_bus",
    "session-image/jelmore_agent",
    "session-image/jelmore_proxy",
    "operator/jelmore_operator",
    "api/jelmore_api",
    "local/jelmore_local",
    "client/jelmore",
]


def pinned(lock: str) -> dict[str, str]:
    """Distribution to version, as a lock has them."""
    text = (ROOT / "requirements" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^ ;\\]+)", text, re.MULTILINE))


def test_locks_are_there() -> None:
    names = ["claude.txt", "cluster.txt", "dev.txt", "generator.txt", "runtime.txt", "session.txt", "uv.txt"]
    assert [lock.name for lock in LOCKS] == names


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_was_compiled_from_the_present_dependencies(lock: Path) -> None:
    recorded = re.search(r"^# inputs: sha256:([0-9a-f]{64})$", lock.read_text(), re.MULTILINE)
    assert recorded, f"{lock.name} has no line of its inputs: run `make lock`"
    assert recorded[1] == lock_inputs(), f"{lock.name} is older than pyproject.toml: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_registry_and_no_machine(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert not re.search(r"(^|\s)(/|file:|~)", text)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pin_of_a_lock_has_a_hash(lock: Path) -> None:
    entries = re.findall(r"^[a-z0-9].*==.*(?:\n    .*)*", lock.read_text(), re.MULTILINE)
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_one_environment_serves_running_and_developing() -> None:
    runtime, dev = pinned("runtime.txt"), pinned("dev.txt")
    assert runtime.items() <= dev.items()


@pytest.mark.parametrize("image", ["session.txt", "cluster.txt", "claude.txt"])
def test_an_image_has_what_was_tested(image: str) -> None:
    assert pinned(image).items() <= pinned("dev.txt").items()


def test_the_image_of_a_session_holds_the_agent_and_its_proxy_and_not_the_client() -> None:
    found = pinned("session.txt")
    assert {"aiohttp", "msgspec", "nats-py", "nkeys", "uvloop"} <= found.keys()
    assert not {"claude-agent-sdk", "pydantic", "rich", "typer"} & found.keys()


def test_the_wheel_that_carries_the_cli_comes_alone() -> None:
    assert list(pinned("claude.txt")) == ["claude-agent-sdk"]


def test_no_lock_file_that_records_where_packages_came_from() -> None:
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed_and_stands_one_level_down(package: str) -> None:
    folder = ROOT / package
    assert (folder / "py.typed").is_file()
    assert (folder / "__init__.py").is_file()
    assert not (folder.parent / "__init__.py").exists(), "a package there would shadow the standard library"


def test_every_package_is_in_the_wheel_and_on_the_development_path() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == PACKAGES
    assert build["dev-mode-dirs"] == list(dict.fromkeys(package.split("/")[0] for package in PACKAGES))


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert phony
    # Without the variables of the make that may run this test.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    listed = subprocess.check_output(["make"], cwd=ROOT, env=env, text=True, timeout=20)
    described = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", listed, re.MULTILINE))
    assert sorted(described) == sorted(phony[1].replace("\\\n", " ").split())


@pytest.mark.parametrize(
    "script",
    [ROOT / "setup.sh", ROOT / ".ci/run", *sorted(ROOT.glob("scripts/*.sh"))],
    ids=lambda script: script.name,
)
def test_a_script_can_be_executed_and_parsed(script: Path) -> None:
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)


def test_the_example_and_the_readme_have_every_setting() -> None:
    # What `jelmore up` tells the API, and what the chart tells it: no user of one machine sets these.
    told = {"model", "resources", "namespaces", "namespace", "audience", "kubeconfig"}
    settings = {f"JELMORE_{name.upper()}" for name in Settings.model_fields.keys() - told}
    example = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    readme = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))
    assert settings <= example
    assert example <= readme
