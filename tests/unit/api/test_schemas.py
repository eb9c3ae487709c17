"""REST's fields are the resource's, in snake_case."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from jelmore_api.sessions.cursors import Cursor, cursor_of, place_of
from jelmore_api.sessions.repository import Place
from jelmore_api.sessions.schemas import CreateSession, SessionView
from jelmore_api.sessions.views import from_resource
from jelmore_contract.resource import ClaudeSession, Metadata, SessionSpec

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
FULL = {
    "query": "Do it",
    "model": "opus",
    "permission_mode": "plan",
    "allowed_tools": ["Read"],
    "disallowed_tools": ["Bash(rm:*)"],
    "append_system_prompt": "Be brief",
    "mcp_servers": {"x": {"command": "y", "args": [1, None]}},
    "partial_messages": True,
    "credentials": {"secret_name": "s", "kind": "apiKey"},
    "workspace": {
        "path": "/srv/x",
        "git": None,
        "commits": {"name": "A B", "email": "a@example.invalid", "attribution": False},
        "trust_settings": True,
        "storage": {"size": "1Gi", "storage_class_name": "fast", "ephemeral": True},
        "retain": True,
    },
    "approvals": {"timeout": "5m", "on_timeout": "deny"},
    "lifecycle": {
        "hibernate_after": "2h",
        "max_lifetime": "24h",
        "ttl_after_finished": "0s",
        "turn_timeout": "10m",
        "on_interrupted": "wait",
        "suspend": True,
    },
    "budget": {"usd": 0.5, "turns": 3},
    "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
    "pod_template": {
        "node_selector": {"a": "b"},
        "tolerations": [
            {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "toleration_seconds": 1}
        ],
        "runtime_class_name": "gvisor",
        "priority_class_name": "low",
    },
    "egress": {
        "allow": [
            {"cidr": "10.20.0.0/16", "namespace": None, "ports": [443]},
            {"cidr": None, "namespace": "tools", "ports": [8080, 8443]},
        ]
    },
    "session_id": "550e8400-e29b-41d4-a716-446655440000",
}


def session(**spec: object) -> ClaudeSession:
    uid = UUID("11111111-2222-4333-8444-555555555555")
    body = CreateSession.model_validate(spec)
    return ClaudeSession(metadata=Metadata(name="n", uid=uid, creation_timestamp=NOW), spec=body.spec())


def test_every_field_of_the_spec_is_taken_and_shown() -> None:
    assert set(FULL) == set(SessionSpec.model_fields)
    view = from_resource(session(**FULL))
    assert view.model_dump(mode="json")["spec"] == FULL
    assert view.id == FULL["session_id"]
    assert view.current_directory == "/srv/x"


def properties(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


def test_names_are_snake_case_at_every_depth() -> None:
    names = {*properties(CreateSession.model_json_schema()), *properties(SessionView.model_json_schema())}
    assert {"permission_mode", "trust_settings", "on_interrupted", "input_tokens"} <= names
    assert [name for name in names if name != name.lower()] == []


def test_times_are_as_the_log_has_them() -> None:
    shown = from_resource(session()).model_dump(mode="json")
    assert shown["created_at"] == shown["last_activity"] == "2026-01-02T03:04:05.678Z"


ID = UUID("550e8400-e29b-41d4-a716-446655440000")
CURSOR: TypeAdapter[str] = TypeAdapter(Cursor)


@pytest.mark.parametrize("moment", [NOW, NOW.replace(microsecond=678901), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_cursor_is_the_place_of_the_last_session(moment: datetime) -> None:
    place = Place(moment, str(ID))
    assert place_of(CURSOR.validate_python(cursor_of(place))) == place


@pytest.mark.parametrize(
    "cursor", ["", "abc", f"{ID}", f"-1-{ID}", f"1-{ID}x", f"1-{str(ID).upper()}", f"{10**16}-{ID}"]
)
def test_what_is_no_cursor(cursor: str) -> None:
    with pytest.raises(ValidationError):
        CURSOR.validate_python(cursor)


def test_every_cursor_is_a_place() -> None:
    assert place_of(CURSOR.validate_python(f"{10**16 - 1}-{ID}")).created_at.year == 2286
