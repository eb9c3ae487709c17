"""An example of each call, by its operationId: what is sent, and what is answered. The one source of those in OpenAPI.

Answers are made of the models, so that they have every field that there is.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jelmore_api.approvals.schemas import ApprovalPage, ApprovalView
from jelmore_api.events.diff_endpoints import PATCH_TYPE, DiffView
from jelmore_api.health.readiness import Dependency, Report
from jelmore_api.sessions.schemas import (
    GitView,
    InputView,
    SessionPage,
    SessionView,
    UsageView,
    WaitingForView,
)
from jelmore_api.sessions.spec_fields import SpecFields
from jelmore_api.stream import sse
from jelmore_contract.states import InputState, SessionState, WaitingFor
from jelmore_contract.version import VERSION

SESSION_ID = "550e8400-e29b-41d4-a716-446655440000"
_MADE, _SEEN = "2025-08-06T12:00:00.000Z", "2025-08-06T12:03:20.150Z"
_QUERY = "Help me create a Python FastAPI application"
_CURSOR = f"1754481600000000-{SESSION_ID}"


class Example(NamedTuple):
    """requests: by what each is for; empty for a call without a body. answer: None without a body. failure: where it is
    no problem document. other: the answer in other media types.
    """

    requests: dict[str, Any]
    answer: Any
    failure: Any = None
    other: Mapping[str, str] = {}


def _session(**fields: Any) -> dict[str, Any]:
    made = {
        "id": SESSION_ID,
        "status": SessionState.IDLE,
        "current_directory": "/workspace",
        "created_at": _MADE,
        "last_activity": _SEEN,
        "output_buffer_size": 42,
        "name": "session-550e8400",
        "namespace": "default",
        "run": 1,
        "usage": UsageView(cost_usd=0.21, input_tokens=1200, output_tokens=3400, turns=1),
        "git": GitView(branch="main", commit="8f3c2a1b9d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a"),
        "claude_session_id": SESSION_ID,
        "labels": {"team": "platform"},
        "spec": SpecFields(query=_QUERY),
    }
    return SessionView.model_validate(made | fields).model_dump(mode="json", by_alias=True)


_NEW: dict[str, Any] = {
    "status": SessionState.PENDING,
    "current_directory": None,
    "last_activity": _MADE,
    "output_buffer_size": 0,
    "run": 0,
    "usage": UsageView(),
    "git": None,
    "claude_session_id": None,
}
_WAITING = _session(
    status=SessionState.WAITING_INPUT, waiting_for=WaitingForView.model_validate({"kind": "approval", "since": _SEEN})
)
_INPUT = InputView(input_id="4f9c2b1a-7d3e-5c6f-8a9b-0c1d2e3f4a5b", state=InputState.QUEUED).model_dump(mode="json")
_EVENT = {
    "seq": 17,
    "id": f"{SESSION_ID}/1/jsonl/2048/0/session.state_changed",
    "event_type": "session.state_changed",
    "session_id": SESSION_ID,
    "timestamp": _SEEN,
    "payload": {"from": "active", "to": "idle"},
}
_APPROVAL = ApprovalView.model_validate(
    {
        "approval_id": "6d1c",
        "kind": WaitingFor.APPROVAL,
        "tool_name": "Bash",
        "input": {"command": "pip install fastapi"},
        "description": "Install FastAPI",
        "requested_at": _SEEN,
    }
)
_READY = Report(
    status="ready", model="claude", dependencies={name: Dependency(ok=True, message=None) for name in ("nats", "redis")}
)
_DEGRADED = Report(
    status="degraded",
    model="claude",
    dependencies={"redis": Dependency(ok=False, message="does not answer (ConnectionError)")},
)
#: An event stream, as it goes over the wire.
_EVENT_STREAM = (
    "id: 17\nevent: session.state_changed\ndata: "
    + json.dumps(_EVENT, separators=(",", ":"))
    + '\n\nid: 17\nevent: stream.ready\ndata: {"event_type":"stream.ready","seq":17}\n\n'
)

_DIFF = DiffView(
    seq=41,
    turn=3,
    files=1,
    insertions=1,
    deletions=1,
    truncated=False,
    patch="diff --git a/main.py b/main.py\n--- a/main.py\n+++ b/main.py\n@@ -1 +1 @@\n-print(1)\n+print(2)\n",
)

CALLS: dict[str, Example] = {
    "create_session": Example(
        {
            "a first prompt": {"query": _QUERY},
            "named and labelled": {"name": "docs", "labels": {"team": "platform"}, "model": "opus"},
            "an idle session": {},
        },
        _session(**_NEW),
    ),
    "get_session": Example({}, _WAITING),
    "list_sessions": Example(
        {},
        SessionPage.model_validate({"items": [_session()], "next_cursor": _CURSOR}).model_dump(
            mode="json", by_alias=True
        ),
    ),
    "change_session": Example(
        {
            "suspend": {"lifecycle": {"suspend": True}},
            "labels": {"labels": {"team": "platform", "ticket": None}},
        },
        _session(),
    ),
    "delete_session": Example({}, None),
    "send_input": Example(
        {
            "text": {"text": "Now add tests", "idempotency_key": "c0ffee-1"},
            "content": {"content": [{"type": "text", "text": "Now add tests"}]},
        },
        _INPUT,
    ),
    "interrupt_session": Example({}, None),
    "retry_session": Example({}, _session(**_NEW)),
    "list_approvals": Example({}, ApprovalPage(items=[_APPROVAL]).model_dump(mode="json")),
    "answer_approval": Example(
        {
            "allow": {"decision": "allow"},
            "deny": {"decision": "deny", "message": "Use uv instead."},
            "a question": {"decision": "allow", "answers": {"Which database?": "PostgreSQL"}},
        },
        None,
    ),
    "list_events": Example({}, {"items": [_EVENT], "next_after": 17}, other={sse.MEDIA_TYPE: _EVENT_STREAM}),
    "get_diff": Example({}, _DIFF.model_dump(mode="json"), other={PATCH_TYPE: _DIFF.patch}),
    "get_blob": Example({}, '{"type":"user","message":{"role":"user","content":"…"}}'),
    "get_asyncapi": Example({}, {"asyncapi": "3.0.0", "info": {"title": "Jelmore", "version": "1"}, "channels": {}}),
    "get_metrics": Example(
        {},
        "# HELP jelmore_api_streams Clients that follow a session.\n# TYPE jelmore_api_streams gauge\n"
        "jelmore_api_streams 2.0\n",
    ),
    "get_health": Example({}, {"status": "ok", "version": VERSION}),
    "get_readiness": Example({}, _READY.model_dump(mode="json"), _DEGRADED.model_dump(mode="json")),
}
