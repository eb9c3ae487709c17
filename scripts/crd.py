"""Writes the custom resource definition, `make crd`: where a cluster's users look for it, and into the chart.

A test compares both files with what the models say now.
"""

import json
from pathlib import Path

import yaml

from jelmore_contract.crd import definition

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "crds/claudesessions.yaml", ROOT / "helm/jelmore/files/claudesessions.yaml")


def crd_text() -> str:
    """As YAML, by way of JSON so that nothing in it is one object, which would be written once and referred to."""
    body = yaml.safe_dump(json.loads(json.dumps(definition())), width=110, allow_unicode=True)
    return f"# Made by `make crd` from contract/jelmore_contract/resource/. Do not edit.\n{body}"


if __name__ == "__main__":
    for file in FILES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(crd_text())
