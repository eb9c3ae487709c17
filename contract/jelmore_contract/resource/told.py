"""What the log tells of a spec. Its readers are more than those of the resource, and it is kept for longer."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import JsonValue

from jelmore_contract.resource.spec import SessionSpec

#: In the place of what may be a secret.
HIDDEN = "(hidden)"
#: What an MCP server is; all else of it (env, headers, args, …) is where people write tokens.
_KNOWN = ("type", "command")


def told_spec(spec: SessionSpec) -> SessionSpec:
    """The spec with nothing in it that may be a secret: the same for specs that differ in that alone."""
    servers = {name: _server(server) for name, server in spec.mcp_servers.items()}
    return spec.model_copy(update={"mcp_servers": servers})


def _server(server: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: _value(name, value) for name, value in server.items()}


def _value(name: str, value: JsonValue) -> JsonValue:
    if name == "url" and isinstance(value, str):
        return _origin(value)
    return value if name in _KNOWN and isinstance(value, str) else HIDDEN


def _origin(url: str) -> str:
    """Path and query can be a key as well."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return HIDDEN
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else HIDDEN
