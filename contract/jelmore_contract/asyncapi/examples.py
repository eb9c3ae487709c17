"""A real example of each message, shortened where it is long."""

from typing import Any

from jelmore_contract.events import EventType

SESSION = "550e8400-e29b-41d4-a716-446655440000"
_INPUT = "0f0e2d9c-3a54-4d5e-9c0b-6f1d2a7b8c9d"
_APPROVAL = "7667a9c2-58f1-4b6d-8a3e-2f4c6d8e0a1b"
_SPEC = {"query": "Add tests", "model": "opus", "permissionMode": "acceptEdits"}

#: Payloads by type.
EVENT_EXAMPLES: dict[EventType, Any] = {
    EventType.CREATED: {"name": "tests", "namespace": "default", "spec": _SPEC, "labels": {"team": "a"}},
    EventType.SPEC_CHANGED: {"generation": 2, "spec": _SPEC | {"model": "sonnet"}, "labels": {"team": "a"}},
    EventType.STATE_CHANGED: {"from": "active", "to": "waiting_input", "run": 1, "waiting_for": "approval"},
    EventType.OUTPUT: {
        "type": "assistant",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "All tests pass."}]},
        "parent_tool_use_id": None,
        "session_id": SESSION,
        "uuid": "1b1f7a52-6c1f-4b8e-9f57-0d6a3c2e4b5a",
    },
    EventType.DIRECTORY_CHANGED: {"from": "/workspace", "to": "/workspace/lib", "turn": 1},
    EventType.FILE_MODIFIED: {"path": "lib/test_sum.py", "change": "created", "size": 412, "turn": 1},
    EventType.GIT_ACTIVITY: {
        "operation": "commit",
        "branch": "main",
        "from": "89a1c7b2e0d4f6a8b1c3d5e7f9a0b2c4d6e8f0a1",
        "to": "3f2e1d0c9b8a7f6e5d4c3b2a1f0e9d8c7b6a5f4e",
        "message": "Test the sum",
        "repository": "",
        "turn": 1,
    },
    EventType.INPUT: {"input_id": _INPUT, "state": "delivered"},
    EventType.APPROVAL_REQUESTED: {
        "approval_id": _APPROVAL,
        "kind": "approval",
        "tool_name": "Bash",
        "input": {"command": "make test", "description": "Run the tests"},
        "description": "Run the tests",
        "tool_use_id": "toolu_01A2B3C4",
    },
    EventType.APPROVAL_RESOLVED: {"approval_id": _APPROVAL, "decision": "allow", "by": "user"},
    EventType.TURN_COMPLETED: {
        "turn": 1,
        "usage": {"input_tokens": 812, "cache_read_input_tokens": 14208, "output_tokens": 305},
        "cost_usd": 0.0412,
        "result": "All tests pass.",
        "is_error": False,
        "subtype": "success",
        "input_ids": [_INPUT],
    },
    EventType.DIFF: {
        "turn": 1,
        "files": 1,
        "insertions": 1,
        "deletions": 0,
        "truncated": False,
        "patch": "diff --git a/note.txt b/note.txt\nnew file mode 100644\nindex 0000000..c0b2b1a\n--- /dev/null\n"
        "+++ b/note.txt\n@@ -0,0 +1 @@\n+a note\n",
    },
    EventType.QUOTA: {"status": "rejected", "resets_at": "2025-08-06T17:00:00.000Z"},
    EventType.ERROR: {"reason": "interrupted", "message": "The turn was cut: Claude Code was ended by signal 9."},
    EventType.TERMINATED: {"reason": "deleted"},
}

#: Payloads by kind.
COMMAND_EXAMPLES: dict[str, Any] = {
    "input": {"input_id": _INPUT, "content": "Now add tests"},
    "interrupt": {},
    "answer": {"approval_id": _APPROVAL, "decision": "allow"},
    "configure": {"model": "sonnet"},
}

FRAME_EXAMPLES: dict[str, Any] = {
    "InputFrame": {"type": "input", "id": 1, "text": "Now add tests", "idempotency_key": "c0ffee-1"},
    "InterruptFrame": {"type": "interrupt", "id": 2},
    "AnswerFrame": {"type": "answer", "id": 3, "approval_id": _APPROVAL, "decision": "allow"},
    "ReadyFrame": {"event_type": "stream.ready", "seq": 4711},
    "ReplyFrame": {"event_type": "stream.reply", "id": 1, "ok": True, "input_id": _INPUT, "state": "queued"},
}

DEAD_LETTER_EXAMPLE = {
    "subject": f"jelmore.event.default.{SESSION}.session.created",
    "seq": 4711,
    "reason": "not an event: JSON is malformed: invalid character (byte 0)",
    "size": 5,
    "data": "bm9pc2U=",
}


def event_example(kind: str, payload: Any) -> dict[str, Any]:
    """The message, as it is on the bus."""
    return {
        "id": f"{SESSION}/1/jsonl/20480/0/{kind}",
        "event_type": kind,
        "session_id": SESSION,
        "timestamp": "2025-08-06T12:00:00.000Z",
        "payload": payload,
    }


def command_example(kind: str, payload: Any) -> dict[str, Any]:
    return {
        "id": payload.get("input_id", "b8a5c0de-1c2d-4e3f-8a9b-0c1d2e3f4a5b"),
        "kind": kind,
        "session_id": SESSION,
        "timestamp": "2025-08-06T12:00:00.000Z",
        "payload": payload,
    }
