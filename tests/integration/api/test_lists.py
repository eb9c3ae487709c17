"""Labels, and the list of sessions filtered by them and by all else: before and after the log's mirror has them."""

from datetime import datetime
from typing import Any

import pytest
from nats.aio.client import Client

from jelmore_contract.events import EventType, encode_event, encode_json, rfc3339
from jelmore_contract.subjects import BUCKET, event_subject
from tests.support.api import RunningApi, agent_of, footprint, mirrored, resource


async def listed(api: RunningApi, **params: Any) -> list[str]:
    """Ids of all pages, a page of two at a time."""
    found, cursor = [], None
    while True:
        page = await api.http.get("/api/v1/sessions", params={"limit": 2, **params, **(cursor or {})})
        assert page.status_code == 200, page.text
        found += [item["id"] for item in page.json()["items"]]
        if page.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": page.json()["next_cursor"]}


async def tell_of(api: RunningApi, bus: Client, session_id: str) -> None:
    """What whoever reconciles tells of a new session."""
    stored = await resource(bus, session_id)
    assert stored is not None
    metadata = stored["metadata"]
    told = {name: metadata[name] for name in ("name", "namespace", "labels")} | {"spec": stored["spec"]}
    when = rfc3339(datetime.fromisoformat(metadata["creationTimestamp"]))
    event = encode_event(f"{session_id}/created", EventType.CREATED, session_id, when, encode_json(told))
    agent = agent_of(bus, session_id)
    await mirrored(api, await agent.raw(event_subject(agent.key, EventType.CREATED), event))


@pytest.mark.parametrize("in_log", [False, True], ids=["new", "mirrored"])
async def test_filters(api: RunningApi, bus: Client, in_log: bool) -> None:
    blue = await api.create(name="web-1", labels={"team": "blue", "tier": "front"})
    red = await api.create(name="web-2", labels={"team": "red", "tier": "front"})
    plain = await api.create(name="job-1")
    if in_log:
        for session_id in (blue, red, plain):
            await tell_of(api, bus, session_id)
        change = {"from": "pending", "to": "idle"}
        await mirrored(api, await agent_of(bus, plain).event(EventType.STATE_CHANGED, **change))
    assert await listed(api, label="team=blue") == [blue]
    assert await listed(api, label=["team=red", "tier=front"]) == [red]
    assert await listed(api, label=["team=red", "tier=back"]) == []
    assert set(await listed(api, label="tier=front")) == {blue, red}
    assert set(await listed(api, name_prefix="web-")) == {blue, red}
    assert set(await listed(api, status=["pending", "idle"])) == {blue, red, plain}
    assert await listed(api, status=["idle", "failed"]) == ([plain] if in_log else [])
    assert await listed(api, label="team=blue", namespace="elsewhere") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [*(("label", text) for text in ("a", "=1", "a=b=c", "a=\0", "\0=a", "a b=c", "x/y/z=a")), ("name_prefix", "\0")],
)
async def test_filters_that_nothing_can_have(api: RunningApi, name: str, value: str) -> None:
    answer = await api.http.get("/api/v1/sessions", params={name: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["parameter"].startswith(name)


async def test_labels_change_by_themselves_and_stay_after_the_end(api: RunningApi, bus: Client) -> None:
    session_id = await api.create(model="opus", labels={"team": "blue", "ticket": "7"})
    url = f"/api/v1/session/{session_id}"
    await tell_of(api, bus, session_id)
    answer = await api.http.patch(url, json={"labels": {"ticket": None, "owner": "me"}})
    assert answer.status_code == 200, answer.text
    labels = {"team": "blue", "owner": "me"}
    assert (answer.json()["labels"], answer.json()["spec"]["model"]) == (labels, "opus")
    stored = await resource(bus, session_id)
    assert stored is not None
    assert (stored["metadata"]["labels"], stored["metadata"]["generation"]) == (labels, 1)
    both = await api.http.patch(url, json={"labels": None, "model": "haiku"}, headers=MERGE_PATCH)
    assert (both.json()["labels"], both.json()["spec"]["model"]) == ({}, "haiku")

    agent = agent_of(bus, session_id)
    spec = {**stored["spec"], "model": "haiku"}
    await agent.event(EventType.SPEC_CHANGED, generation=2, spec=spec, labels={"kept": "yes"})
    last = await agent.event(EventType.TERMINATED, reason="deleted")
    await (await bus.jetstream().key_value(BUCKET)).delete(f"default.{session_id}.spec")
    await mirrored(api, last)
    single = (await api.http.get(url)).json()
    assert (single["status"], single["labels"], single["spec"]["model"]) == ("terminated", {"kept": "yes"}, "haiku")
    page = (await api.http.get("/api/v1/sessions", params={"label": "kept=yes"})).json()
    assert page["items"] == [single]


MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.mark.parametrize(
    "labels", [{"jelmore.dev/x": "v"}, {"a b": "v"}, {"a": 1}, "text"], ids=["reserved", "key", "value", "no object"]
)
async def test_labels_that_are_refused_change_nothing(api: RunningApi, bus: Client, labels: Any) -> None:
    session_id = await api.create()
    before = await footprint(bus)
    for method, url in (("POST", "/api/v1/session"), ("PATCH", f"/api/v1/session/{session_id}")):
        answer = await api.http.request(method, url, json={"labels": labels})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"].startswith("#/labels")
    assert await footprint(bus) == before


async def test_pages_are_stable_while_sessions_come_and_are_mirrored(api: RunningApi, bus: Client) -> None:
    ids = [await api.create() for _ in range(6)]
    first = (await api.http.get("/api/v1/sessions", params={"limit": 3})).json()
    await api.create()
    for session_id in ids:
        await tell_of(api, bus, session_id)
    rest = await listed(api, cursor=first["next_cursor"])
    assert sorted([item["id"] for item in first["items"]] + rest) == sorted(ids)


async def test_an_idempotency_key_holds_after_the_end_and_with_labels(api: RunningApi, bus: Client) -> None:
    headers = {"Idempotency-Key": "k"}

    async def ask(**body: Any) -> Any:
        return await api.http.post("/api/v1/session", json=body, headers=headers)

    asked = {"query": "hi", "labels": {"team": "blue"}}
    session_id = (await ask(**asked)).json()["id"]
    assert (await ask(query="hi", labels={"team": "red"})).status_code == 409
    elsewhere = await ask(**asked, namespace="elsewhere")
    assert (elsewhere.status_code, elsewhere.json()["id"] != session_id) == (201, True)

    await tell_of(api, bus, session_id)
    agent = agent_of(bus, session_id)
    # However it was changed since.
    await agent.event(EventType.SPEC_CHANGED, generation=2, spec={"query": "hi", "model": "opus"}, labels={})
    last = await agent.event(EventType.TERMINATED, reason="deleted")
    await (await bus.jetstream().key_value(BUCKET)).delete(f"default.{session_id}.spec")
    await mirrored(api, last)
    again = await ask(**asked)
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (201, session_id, "terminated")
    assert (await ask(query="hi")).status_code == 409
