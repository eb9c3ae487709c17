"""What the API counts, as Prometheus reads it."""

from typing import Any

import websockets
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.support.api import RunningApi, agent_of, mirrored, until


async def figures(api: RunningApi) -> dict[str, float]:
    """By name and labels, such as `jelmore_api_dependency_up{nats}`."""
    answer = await api.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples: list[Any] = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]
    return {f"{s.name}{{{','.join(s.labels.values())}}}": s.value for s in samples}


async def mirrored_figures(api: RunningApi) -> dict[str, float] | None:
    """Once two messages are counted as mirrored."""
    found = await figures(api)
    return found if found["jelmore_api_mirrored_total{}"] >= 2 else None


async def test_requests_are_counted_by_their_routes(api: RunningApi) -> None:
    session_id = await api.create(name="counted")
    await api.http.get(f"/api/v1/session/{session_id}")
    for path in ("/made-up/1", "/made-up/2", f"/api/v1/session/{session_id}/nothing"):
        await api.http.get(path)
    await api.http.request("BREW", "/made-up/1")
    found = await figures(api)
    assert found["jelmore_api_requests_total{POST,/api/v1/session,201}"] == 1
    assert found["jelmore_api_requests_total{GET,/api/v1/session/{session_id},200}"] == 1
    assert found["jelmore_api_requests_total{GET,other,404}"] == 3
    assert found["jelmore_api_request_seconds_count{GET,/api/v1/session/{session_id}}"] == 1
    assert not any(session_id in name or "made-up" in name or "BREW" in name for name in found)


async def test_what_is_there_and_what_was_mirrored(api: RunningApi, bus: Client) -> None:
    agent = agent_of(bus, await api.create())
    await agent.created()
    await mirrored(api, await agent.raw(f"jelmore.event.default.{agent.key.session_id}.session.output", b"no event"))
    path = f"/api/v1/session/{agent.key.session_id}/stream"
    async with websockets.connect(api.ws_url + path) as stream:
        await stream.recv()
        # It counts what it has mirrored once that is stored, which can be seen a moment before.
        found = await until(lambda: mirrored_figures(api))
        assert found["jelmore_api_streams{}"] == 1
        assert found["jelmore_api_rooms{}"] == 1
        assert {name for name in found if name.startswith("jelmore_api_dependency_up")} == {
            f"jelmore_api_dependency_up{{{name}}}" for name in ("nats", "postgres", "redis", "mirror")
        }
        assert found["jelmore_api_dependency_up{nats}"] == found["jelmore_api_mirror_active{}"] == 1
        assert found["jelmore_api_mirrored_total{}"] == 2
        assert found["jelmore_api_mirror_pending{}"] == 0
        assert found["jelmore_api_dead_letters_total{event}"] == 1

    async def gone() -> bool:
        return (await figures(api))["jelmore_api_streams{}"] == 0

    await until(gone)
    assert (await figures(api))["jelmore_api_requests_total{WEBSOCKET,/api/v1/session/{session_id}/stream,101}"] == 1
