"""Helm, and what the chart renders with it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "jelmore"

# A Kubernetes object.
type Rendered = dict[str, Any]


class HelmError(Exception):
    """What helm wrote to stderr."""


@dataclass(frozen=True)
class Helm:
    program: str
    #: What it knows of a cluster, and where it keeps its own files.
    environment: Mapping[str, str]

    def run(self, *arguments: str | Path, values: object = None) -> str:
        """Its stdout. `values` are put on top of all others. Raises HelmError."""
        given = [] if values is None else ["--values", "-"]
        done = subprocess.run(
            [self.program, *arguments, *given],
            env=self.environment,
            input=None if values is None else yaml.safe_dump(values),
            stdin=subprocess.DEVNULL if values is None else None,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(done.stderr)
        return done.stdout

    def render(self, values_file: str, values: object = None) -> list[Rendered]:
        """All objects of a release `jelmore` in a namespace of that name, with one of the chart's files of values."""
        text = self.run(
            "template", "jelmore", CHART, "--namespace", "jelmore", "--values", values_of(values_file), values=values
        )
        return documents(text)


def documents(text: str) -> list[Rendered]:
    """Of a YAML stream, by libyaml: the definition's schema is long."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def values_of(name: str) -> Path:
    return CHART / "ci" / f"{name}-values.yaml"


def only(rendered: list[Rendered], kind: str, name: str, namespace: str | None = "jelmore") -> Rendered:
    """The one such object."""
    (found,) = (
        document
        for document in rendered
        if (document["kind"], document["metadata"]["name"], document["metadata"].get("namespace"))
        == (kind, name, namespace)
    )
    return found


@pytest.fixture
def helm(kubeconfig: Path, cluster_bin: Path | None, tmp_path: Path) -> Helm:
    """What it keeps of its own goes with the test."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
    return Helm(str(cluster_bin / "helm") if cluster_bin else "helm", environment)
