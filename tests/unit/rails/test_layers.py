"""What the import contracts in pyproject.toml cannot say: where the standard library alone is allowed, and
that each extra brings what its part imports.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[3]
OURS = {
    # Every extra brings what the whole of it needs; the base install, what the client needs of it.
    "jelmore_contract": {"agent"},
    "jelmore_bus": {"agent", "operator", "api"},
    "jelmore_agent": {"agent"},
    "jelmore_proxy": {"agent", "session"},
    "jelmore_operator": {"operator"},
    "jelmore_api": {"api"},
    "jelmore_local": {"agent", "operator", "api", "local"},
    "jelmore": {"cli"},  # of which the client alone needs nothing: tests/unit/client/test_layers.py
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*OURS, include_external_packages=True, cache_dir=None)


def imported(graph: grimp.ImportGraph, package: str) -> set[str]:
    """What a package's modules import directly: names of packages, and whole names of our own modules."""
    modules = {package} | graph.find_descendants(package)
    found = set[str]().union(*(graph.find_modules_directly_imported_by(module) for module in modules))
    return found - modules - sys.stdlib_module_names


def test_reconciliation_imports_only_the_contract_and_the_standard_library(graph: grimp.ImportGraph) -> None:
    found = imported(graph, "jelmore_operator.reconcile")
    assert {name for name in found if not name.startswith("jelmore_contract")} == set()


@pytest.mark.parametrize("package", OURS)
def test_the_extra_of_a_part_brings_what_it_imports(graph: grimp.ImportGraph, package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = list(project["dependencies"])
    for extra in OURS[package]:
        requirements += project["optional-dependencies"][extra]
    brought = {re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in requirements}
    if "pydantic" in brought:
        brought.add("pydantic-core")  # which pydantic itself pins; its errors are raised by that name
    distributions = packages_distributions()
    missing = {
        name
        for name in imported(graph, package)
        if name.split(".")[0] not in OURS
        and not brought & {d.lower().replace("_", "-") for d in distributions.get(name, [])}
    }
    assert missing == set(), f"imported by {package}, but not among the dependencies of its extra"


def _normal(distribution: str) -> str:
    return distribution.lower().replace("_", "-")


#: What runs in Claude's container, or as PID 1 of the agent's, with nothing but the standard library.
BARE = ["jelmore_agent.launcher", "jelmore_agent.parent"]


@pytest.mark.parametrize("part", BARE)
def test_what_is_bare_imports_the_standard_library_alone(graph: grimp.ImportGraph, part: str) -> None:
    modules = {part} | graph.find_descendants(part)
    reached = modules.union(*(graph.find_upstream_modules(module) for module in modules))
    assert {name for name in reached if not name.startswith("jelmore_agent")} <= sys.stdlib_module_names


def test_the_launcher_starts_with_the_standard_library_alone() -> None:
    # -I and -S: no site-packages, no PYTHONPATH, nothing but the folder that the session's image has of ours.
    launcher = ROOT / "session-image/jelmore_agent/launcher/__main__.py"
    subprocess.run([sys.executable, "-I", "-S", launcher, "--help"], check=True, capture_output=True, timeout=20)


def test_the_agent_s_process_loads_no_aiohttp() -> None:
    """It is there for others, and nats-py would take it."""
    start = [sys.executable, "-I", "-X", "importtime", "-m", "jelmore_agent.main"]
    loaded = subprocess.run(start, capture_output=True, text=True, check=False, timeout=20).stderr
    assert "nats.aio.client" in loaded
    assert "aiohttp." not in loaded  # it is asked for, and none of its modules comes


def test_the_agent_loads_no_pydantic() -> None:
    start = "import sys, jelmore_agent.main; print('pydantic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", start], text=True, timeout=20) == "False\n"
