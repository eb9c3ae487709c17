"""A small MCP server on stdin and stdout, run as a program: one tool, `shout`, which says a text in capitals."""

import json
import sys
from typing import Any

_TOOL = {
    "name": "shout",
    "description": "Says a text in capitals.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """None for what has no answer."""
    if method == "initialize":
        info = {"name": "shouting", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [_TOOL]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": params["arguments"]["text"].upper()}]}
    return {} if method == "ping" else None


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        result = answer(asked["method"], asked.get("params", {}))
        if "id" in asked and result is not None:
            print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
