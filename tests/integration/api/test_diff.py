"""What a session changed, from its log: the last diff, or how things stood after a turn; as JSON or as a patch."""

from typing import Any

from nats.aio.client import Client

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
