"""What a session changed, from its log: the last diff, or how things stood after a turn; as JSON or as a patch."""

import re
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from jelmore_api.events import repository
from jelmore_api.persister.partitions import Partitions
from jelmore_contract.events import EventType, encode_json
from tests.support.api import RunningApi, agent_of, mirrored

PATCH = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two é\n"


def made(turn: int, patch: str = PATCH) -> dict[str, Any]:
    return {"turn": turn, "files": 1, "insertions": 1, "deletions": 1, "truncated": False, "patch": patch}


async def test_the_last_one_and_that_of_a_turn(api: RunningApi, bus: Client) -> None:
    session = await api.create()
    path, agent = f"/api/v1/session/{session}/diff", agent_of(bus, session)
    none = await api.http.get(path)
    assert (none.status_code, none.json()["type"]) == (404, "https://jelmore.dev/problems/not-found")
    assert "no turn has changed a file yet" in none.json()["detail"]
    first = await agent.event(EventType.DIFF, **made(1))
    assert (await api.http.get(path)).json() == {"seq": first, **made(1)}
    large = "+" + "x" * 600_000 + "\n"
    second = await agent.blob("1-1-9-0", encode_json(made(4, large)), EventType.DIFF)
    await mirrored(api, second)
    await agent.event(EventType.DIFF, turn="noise")
    third = await agent.event(EventType.DIFF, **made(6, ""))
    for _ in range(2):
        for turn, seq, patch in ((1, first, PATCH), (3, first, PATCH), (5, second, large), (9, third, "")):
            found = (await api.http.get(path, params={"turn": turn})).json()
            assert (found["seq"], found["patch"]) == (seq, patch)
        await mirrored(api, third)
    answer = await api.http.get(path, params={"turn": 1}, headers={"Accept": "text/x-diff"})
    assert (answer.text, answer.headers["content-type"]) == (PATCH, "text/x-diff; charset=utf-8")
    assert (await api.http.get(path, params={"turn": 0})).status_code == 422
    assert (await api.http.get(path, headers={"Accept": "text/x-diff;q=0, application/json;q=0"})).status_code == 406


async def test_why_there_is_none(api: RunningApi, bus: Client) -> None:
    session = await api.create()
    agent = agent_of(bus, session)
    await mirrored(api, await agent.event(EventType.ERROR, reason="diff", message="git is not installed: install it."))
    answer = await api.http.get(f"/api/v1/session/{session}/diff")
    assert (answer.status_code, answer.json()["detail"]) == (404, "git is not installed: install it.")


@pytest.mark.parametrize("query", [repository._DIFFS, repository._DIFF_PROBLEM], ids=["diffs", "why there are none"])
async def test_they_are_found_past_all_that_the_session_said(database_url: str, query: str) -> None:
    """Two events among 50,000: by as few pages as another session's would be."""
    session, most = "550e8400-e29b-41d4-a716-446655440000", 50_000
    connection = await asyncpg.connect(database_url)
    try:
        await Partitions().make(connection, 1, most)
        await connection.execute(
            f"""
            INSERT INTO events (session_id, seq, id, event_type, timestamp, payload)
            SELECT '{session}', seq, seq::text, CASE seq WHEN 10 THEN 'session.diff' WHEN 20 THEN 'session.error'
                ELSE 'session.output' END, '', CASE seq WHEN 20 THEN '{{"reason":"diff",}}' ELSE repeat('x', 200) END
            FROM generate_series(1, {most}) AS seq
            """
        )
        await connection.execute("ANALYZE events")
        values = (session, 2**63 - 1, 50)[: 3 if "$3" in query else 1]
        assert len(await connection.fetch(query, *values)) == 1
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {query}", *values))
    finally:
        await connection.close()
    [read] = re.findall(r"shared hit=(\d+)", plan.splitlines()[1])
    assert int(read) < 10, plan
    assert "event_type_seq_idx" in plan
