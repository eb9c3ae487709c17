"""What a user would write with a client that was generated from the API's description: a session's life.

The first argument is the service's address. It waits for Claude, whose part the demo model has.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from uuid import uuid4

from jelmore_client import Client
from jelmore_client.api.approvals import answer_approval, list_approvals
from jelmore_client.api.events import get_asyncapi, get_diff, list_events
from jelmore_client.api.health import get_health, get_readiness
from jelmore_client.api.sessions import (
    change_session,
    create_session,
    delete_session,
    get_session,
    interrupt_session,
    list_sessions,
    retry_session,
    send_input,
)
from jelmore_client.models import (
    Alive,
    Answer,
    AnswerDecision,
    ApprovalPage,
    CreateSession,
    Diff,
    EventPage,
    EventType,
    Input,
    InputState,
    JsonObject,
    Labels,
    LabelsChange,
    LifecycleChange,
    Problem,
    Readiness,
    SentInput,
    Session,
    SessionChange,
    SessionPage,
    SessionState,
)

LIMIT = 60.0  # seconds


def until[T](look: Callable[[], T | None]) -> T:
    """The first thing that it finds."""
    end = time.monotonic() + LIMIT
    while (found := look()) is None:
        assert time.monotonic() < end, f"waited {LIMIT} s in vain"
        time.sleep(0.05)
    return found


def expect[T](kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def refused(answer: object, kind: str, status: int) -> Problem:
    problem = expect(Problem, answer)
    assert (problem.type_.rpartition("/")[2], problem.status) == (kind, status), problem
    assert problem.detail
    return problem


def main(client: Client) -> None:
    wanted = CreateSession(query="Create a small program", labels=Labels.from_dict({"team": "blue"}))
    made = create_session.sync_detailed(client=client, body=wanted, idempotency_key="program-1")
    session = expect(Session, made.parsed)
    assert made.headers["location"] == f"/api/v1/session/{session.id}"
    assert (
        expect(Session, create_session.sync(client=client, body=wanted, idempotency_key="program-1")).id == session.id
    )

    def stands(*states: SessionState) -> Callable[[], Session | None]:
        def look() -> Session | None:
            seen = expect(Session, get_session.sync(session.id, client=client))
            return seen if seen.status in states else None

        return look

    idle = until(stands(SessionState.IDLE))
    assert (idle.usage.turns, idle.labels["team"], idle.spec.query) == (1, "blue", "Create a small program")
    page = expect(SessionPage, list_sessions.sync(client=client, label=["team=blue"], status=[SessionState.IDLE]))
    assert ([each.id for each in page.items], page.next_cursor) == ([session.id], None)
    read(client, session.id)
    change(client, session.id)
    ask(client, session.id)
    problems(client, session.id)

    assert delete_session.sync_detailed(session.id, client=client).status_code == 204
    until(stands(SessionState.TERMINATED))
    refused(send_input.sync(session.id, client=client, body=Input(text="more")), "session-ended", 409)


def read(client: Client, session_id: str) -> None:
    ends = [EventType.SESSION_TURN_COMPLETED]
    events = expect(EventPage, list_events.sync(session_id, client=client, types=ends))
    assert [event.payload["input_ids"] for event in events.items]
    assert (
        expect(EventPage, list_events.sync(session_id, client=client, after=events.next_after, types=ends)).items == []
    )
    diff = until(lambda: found if isinstance(found := get_diff.sync(session_id, client=client), Diff) else None)
    assert diff.turn == 1
    assert diff.patch.startswith("diff --git")


def change(client: Client, session_id: str) -> None:
    patch = SessionChange(
        labels=LabelsChange.from_dict({"team": None}),
        lifecycle=LifecycleChange(hibernate_after="2h", turn_timeout="5m"),
    )
    expect(Session, change_session.sync(session_id, client=client, body=patch))
    patch = SessionChange(lifecycle=LifecycleChange(hibernate_after=None))
    changed = expect(Session, change_session.sync(session_id, client=client, body=patch))
    assert (changed.spec.lifecycle.hibernate_after, changed.spec.lifecycle.turn_timeout) == ("1h", "5m")
    assert "team" not in changed.labels


def ask(client: Client, session_id: str) -> None:
    """A prompt, what Claude wants to know, and the answer."""
    prompt = Input(text="Use the network", idempotency_key="network")
    sent = expect(SentInput, send_input.sync(session_id, client=client, body=prompt))
    assert sent.state in set(InputState)
    assert expect(SentInput, send_input.sync(session_id, client=client, body=prompt)).input_id == sent.input_id
    (approval,) = until(lambda: expect(ApprovalPage, list_approvals.sync(session_id, client=client)).items or None)
    deny = Answer(decision=AnswerDecision.DENY, message="Work offline.")
    answered = answer_approval.sync_detailed(session_id, approval.approval_id, client=client, body=deny)
    assert answered.status_code == 202
    again = Answer(decision=AnswerDecision.ALLOW)
    refused(answer_approval.sync(session_id, approval.approval_id, client=client, body=again), "conflict", 409)
    assert interrupt_session.sync_detailed(session_id, client=client).status_code == 202


def problems(client: Client, session_id: str) -> None:
    refused(get_session.sync(str(uuid4()), client=client), "not-found", 404)
    refused(retry_session.sync(session_id, client=client), "conflict", 409)
    wrong = refused(create_session.sync(client=client, body=CreateSession(name="Not a name")), "invalid-request", 422)
    assert wrong.errors
    assert wrong.errors[0].pointer == "#/name"


async def health(client: Client) -> None:
    """The same calls for asyncio."""
    async with client:
        alive, ready, log = await asyncio.gather(
            get_health.asyncio(client=client), get_readiness.asyncio(client=client), get_asyncapi.asyncio(client=client)
        )
    assert expect(Alive, alive).status == "ok"
    assert expect(Readiness, ready).dependencies["nats"].ok
    assert "channels" in expect(JsonObject, log)


if __name__ == "__main__":
    with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as opened:
        main(opened)
    asyncio.run(health(Client(base_url=sys.argv[1], raise_on_unexpected_status=True)))
