"""What the log tells of MCP servers: what they are, and nothing that may be a secret."""

import json
from typing import Any

import pytest

from jelmore_contract.resource import HIDDEN, SessionSpec, told_spec

CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"command": "uvx"}, {"command": "uvx"}),
    (
        {"command": "uvx", "args": ["--key", "CANARY"], "env": {"TOKEN": "CANARY"}},
        {"command": "uvx", "args": HIDDEN, "env": HIDDEN},
    ),
    (
        {"type": "http", "url": "https://me:CANARY@mcp.example.com:8443/CANARY?key=CANARY#CANARY", "headers": {}},
        {"type": "http", "url": "https://mcp.example.com:8443", "headers": HIDDEN},
    ),
    ({"url": "no url, CANARY"}, {"url": HIDDEN}),
    ({"url": "http://host:CANARY/"}, {"url": HIDDEN}),
    ({"url": ["CANARY"], "type": {"x": "CANARY"}}, {"url": HIDDEN, "type": HIDDEN}),
    ({"somethingNew": "CANARY"}, {"somethingNew": HIDDEN}),
]


@pytest.mark.parametrize(("server", "told"), CASES)
def test_what_is_told(server: dict[str, Any], told: dict[str, Any]) -> None:
    spec = SessionSpec.model_validate({"query": "hi", "mcpServers": {"a": server}})
    shown = told_spec(spec)
    assert shown.mcp_servers == {"a": told}
    assert told_spec(shown) == shown
    assert "CANARY" not in json.dumps(shown.model_dump(mode="json"))
    assert shown.model_copy(update={"mcp_servers": {}}) == spec.model_copy(update={"mcp_servers": {}})
    assert spec.mcp_servers == {"a": server}
