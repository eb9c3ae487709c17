import tomllib
from pathlib import Path

from jelmore_contract.version import VERSION


def test_it_is_the_distribution_s() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
