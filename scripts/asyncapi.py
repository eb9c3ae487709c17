"""Writes the AsyncAPI document, `make asyncapi`, and the reference in docs/events.md. Tests compare both with what the
contract says now.
"""

import json
from pathlib import Path

import yaml

from jelmore_contract.asyncapi import document
from scripts import events_page

FILE = Path(__file__).resolve().parent.parent / "docs/asyncapi.yaml"


def asyncapi_text() -> str:
    """As YAML, by way of JSON so that nothing in it is one object, which would be written once and referred to."""
    body = yaml.safe_dump(json.loads(json.dumps(document())), width=110, allow_unicode=True, sort_keys=False)
    return f"# Made by `make asyncapi` from contract/jelmore_contract/. Do not edit.\n{body}"


if __name__ == "__main__":
    FILE.write_text(asyncapi_text())
    events_page.PAGE.write_text(events_page.page())
