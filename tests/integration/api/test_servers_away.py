"""Servers away: the API stays up, says which, serves what it can, and recovers by itself."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from nats.aio.client import Client
from pydantic import SecretStr

from jelmore_api.settings import Settings
from jelmore_contract.events import EventType
from jelmore_local.servers.nats import Nats
from tests.support.api import RunningApi, agent_of, mirrored, serving, until
from tests.support.gate import Gate
from tests.support.ports import free_port


async def dependencies(api: RunningApi) -> dict[str, bool]:
    report = (await api.http.get("/readyz")).json()
    return {name: state["ok"] for name, state in report["dependencies"].items()}


def away(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"].endswith("/unavailable")


async def told(api: RunningApi, bus: Client) -> str:
    """A session that the mirror knows."""
    session_id = await api.create(query="hi")
    agent = agent_of(bus, session_id)
    await agent.created()
    await mirrored(api, await agent.lines(b"{}", b"{}"))
    return session_id


async def test_nothing_is_there_when_the_service_starts(api_settings: Settings) -> None:
    nowhere = {
        "nats_url": SecretStr(f"nats://127.0.0.1:{free_port()}"),
        "database_url": SecretStr(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"),
        "redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0"),
    }
    async with serving(api_settings.model_copy(update=nowhere)) as api:
        assert (await api.http.get("/healthz")).json()["status"] == "ok"
        ready = await api.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["status"] == "degraded"
        assert ready.json()["model"] == "demo"
        assert await dependencies(api) == {"nats": False, "postgres": False, "redis": False, "mirror": False}
        away(await api.http.post("/api/v1/session", json={}))
        away(await api.http.get("/api/v1/sessions"))
        assert (await api.http.get("/api/v1/docs")).status_code == 200


async def test_nats_away(api: RunningApi, bus: Client, fresh_nats: Nats) -> None:
    session_id = await told(api, bus)
    url = f"/api/v1/session/{session_id}"
    await fresh_nats.stop()
    assert not (await dependencies(api))["nats"]
    assert (await api.http.get(url)).json()["spec"]["query"] == "hi"
    assert [item["id"] for item in (await api.http.get("/api/v1/sessions")).json()["items"]] == [session_id]
    # A page that PostgreSQL fills is whole; whether more follows a shorter one, only the stream knows.
    assert len((await api.http.get(f"{url}/events", params={"limit": 3})).json()["items"]) == 3
    away(await api.http.get(f"{url}/events"))
    away(await api.http.post("/api/v1/session", json={}))
    away(await api.http.post(f"{url}/input", json={"text": "x"}))
    away(await api.http.delete(url))
    await fresh_nats.restart()

    async def sent() -> Any:
        answer = await api.http.post(f"{url}/input", json={"text": "x", "idempotency_key": "k"})
        return answer.status_code == 202

    await until(sent)
    await until(lambda: _all(api))


async def test_postgres_away(api_settings: Settings, bus: Client) -> None:
    async with (
        Gate(api_settings.database_url.get_secret_value()) as gate,
        _through(gate, api_settings, "database_url") as api,
    ):
        await until(lambda: _all(api))
        session_id = await told(api, bus)
        await gate.shut()
        assert not (await dependencies(api))["postgres"]
        await _serves_without_postgres(api, session_id)
        await gate.open()
        await until(lambda: _all(api))
        page = (await api.http.get(f"/api/v1/session/{session_id}/events")).json()
        assert len(page["items"]) == 3


async def _serves_without_postgres(api: RunningApi, session_id: str) -> None:
    url = f"/api/v1/session/{session_id}"
    assert (await api.http.get(url)).json()["spec"]["query"] == "hi"
    other = await api.create(query="ho")
    listed = (await api.http.get("/api/v1/sessions")).json()["items"]
    assert {item["id"] for item in listed} == {session_id, other}
    body = {"text": "x", "idempotency_key": "k"}
    sent = [(await api.http.post(f"{url}/input", json=body)).json() for _ in range(2)]
    assert sent[0] == sent[1]
    assert (await api.http.post(f"{url}/interrupt")).status_code == 202
    away(await api.http.get(f"{url}/events"))
    away(await api.http.get("/api/v1/session/550e8400-e29b-41d4-a716-446655440000"))
    assert (await api.http.delete(f"/api/v1/session/{other}")).status_code == 204


async def test_redis_away(api_settings: Settings, bus: Client) -> None:
    async with (
        Gate(api_settings.redis_url.get_secret_value()) as gate,
        _through(gate, api_settings, "redis_url") as api,
    ):
        await until(lambda: _all(api))
        session_id = await told(api, bus)
        await gate.shut()
        assert not (await dependencies(api))["redis"]
        assert (await api.http.get(f"/api/v1/session/{session_id}")).json()["output_buffer_size"] == 2
        agent = agent_of(bus, session_id)
        await mirrored(api, await agent.event(EventType.STATE_CHANGED, **{"from": "pending", "to": "idle"}))
        assert (await api.http.get(f"/api/v1/session/{session_id}")).json()["status"] == "idle"
        await gate.open()
        await until(lambda: _all(api))


def _through(gate: Gate, settings: Settings, name: str) -> AbstractAsyncContextManager[RunningApi]:
    return serving(settings.model_copy(update={name: SecretStr(gate.url)}))


async def _all(api: RunningApi) -> bool:
    return all((await dependencies(api)).values())
