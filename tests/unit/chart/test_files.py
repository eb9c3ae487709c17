"""The chart's own files, before anything is rendered: that takes helm, and stands in tests/e2e."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from scripts.chart_readme import README, readme_text, table
from tests.support.helm import CHART, ROOT, documents

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
#: Kubernetes' own shapes, which the API server checks, and maps of free names.
FREE = {"affinity", "requests", "limits", "global"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    found: dict[str, Any] = SCHEMA["$defs"][reference.rpartition("/")[2]] if reference else schema
    return found


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that the schema describes, itself included, by its path."""
    schema = resolved(schema)
    if schema.get("type") != "object":
        return
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        if name not in FREE:
            yield from objects(inner, f"{path}.{name}")


OBJECTS = dict(objects(SCHEMA))


@pytest.mark.parametrize("path", OBJECTS)
def test_the_schema_refuses_names_that_are_not_there(path: str) -> None:
    described = OBJECTS[path]
    assert described.get("additionalProperties") is False or "properties" not in described


@pytest.mark.parametrize("path", [path for path, described in OBJECTS.items() if "properties" in described])
def test_the_schema_and_the_values_have_the_same_names(path: str) -> None:
    values: Any = VALUES
    for name in path.split(".")[1:]:
        values = values[name]
    assert values.keys() == OBJECTS[path]["properties"].keys()


def test_every_value_has_a_comment_above_it_or_above_its_group() -> None:
    """Lines that only open a group may go without."""
    commented: dict[int, bool] = {}
    without = []
    for line in (CHART / "values.yaml").read_text().splitlines():
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            commented = {}
        elif line.lstrip().startswith("#"):
            commented[depth] = True
        elif not line.lstrip().startswith("-"):
            if not line.endswith(":") and not any(commented.get(level) for level in range(depth + 1)):
                without.append(line)
            commented = {level: said for level, said in commented.items() if level <= depth}
    assert without == []


def test_the_readme_has_the_values_as_they_are() -> None:
    assert README.read_text() == readme_text(), "run `make chart`"


def test_the_readme_has_every_value() -> None:
    rows = [line for line in table().splitlines() if line.startswith("| `")]
    named = {row.split("`")[1] for row in rows}
    described = {path.removeprefix(".") for path, schema_ in OBJECTS.items() if "properties" in schema_}
    leaves = {
        f"{path}.{name}".removeprefix(".")
        for path, schema_ in OBJECTS.items()
        for name in schema_.get("properties", {})
        if path.rpartition(".")[2] not in ("resources", "image", "storage") or path == ".image"
    }
    assert leaves - described <= named


def test_the_chart_is_of_the_version_of_the_product() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
#: What prometheus_client adds to a name.
SUFFIXES = re.compile(r"_(total|bucket|count|sum)$")
METRIC = re.compile(r"jelmore_(?:api|operator|proxy)_[a-z_]+")


#: What is rendered with everything on.
EVERYTHING = documents((ROOT / "tests" / "data" / "chart" / "everything.yaml").read_text())


def made_metrics() -> set[str]:
    """Those that the parts have."""
    sources = [path for part in ("api", "operator", "session-image") for path in (ROOT / part).rglob("*.py")]
    texts = [path.read_text() for path in sources]
    made = {name for text in texts for name in re.findall(rf'"({METRIC.pattern})"', text)}
    # The API's gauges, which are named without what all begin with.
    made |= {f"jelmore_api_{name}" for text in texts for name in re.findall(r'_gauge\("([a-z_]+)"', text)}
    return {SUFFIXES.sub("", name) for name in made}


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    asked = {
        SUFFIXES.sub("", name)
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
        for name in METRIC.findall(target["expr"])
    }
    assert asked - made_metrics() == set()
    assert len(asked) > 8


def test_the_alerts_ask_for_metrics_that_the_monitors_read() -> None:
    (rule,) = (each for each in EVERYTHING if each["kind"] == "PrometheusRule")
    read = {
        f'service="{each["metadata"]["name"]}"' if each["kind"] == "ServiceMonitor" else f'job="jelmore/{name}"'
        for each in EVERYTHING
        if each["kind"] in ("ServiceMonitor", "PodMonitor") and (name := each["metadata"]["name"])
    }
    asked = set()
    for alert in rule["spec"]["groups"][0]["rules"]:
        asked |= {SUFFIXES.sub("", name) for name in METRIC.findall(alert["expr"])}
        for selector in re.findall(r"{([^}]*)}", alert["expr"]):
            assert 'namespace="jelmore"' in selector
            assert any(of in selector for of in read), selector
        assert alert["annotations"]["summary"].endswith(".")
    assert asked - made_metrics() == set()
    assert len(asked) == 5


def test_the_dashboards_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
