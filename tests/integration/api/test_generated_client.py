"""A client made from the description alone: its types load, and with them it runs a session's life against the API."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from nats.aio.client import Client
from pydantic import BaseModel

from tests.support.api import RunningApi, agent_of


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@contextmanager
def _imported(path: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("generated_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[spec.name]


class _Generated:
    """Calls by operationId; bodies and answers are the generated models."""

    def __init__(self, api: RunningApi, document: dict[str, Any], models: ModuleType) -> None:
        self._api = api
        self._models = models
        self._calls = {
            call["operationId"]: (method, path, call)
            for path, calls in document["paths"].items()
            for method, call in calls.items()
        }

    def model(self, schema: dict[str, Any]) -> type[BaseModel]:
        found: type[BaseModel] = getattr(self._models, schema["$ref"].rpartition("/")[2])
        return found

    async def __call__(self, name: str, body: dict[str, Any] | None = None, **path: str) -> Any:
        method, template, call = self._calls[name]
        content, media_type = None, ""
        if body is not None:
            media_type, described = next(iter(call["requestBody"]["content"].items()))
            made = self.model(described["schema"]).model_validate(body)
            content = made.model_dump_json(exclude_unset=True)
        headers = {"Content-Type": media_type} if content else {}
        answer = await self._api.http.request(method, template.format(**path), content=content, headers=headers)
        described = call["responses"][str(answer.status_code)].get("content", {}).get("application/json")
        return self.model(described["schema"]).model_validate_json(answer.content) if described else None


async def test_a_generated_client_runs_a_session(api: RunningApi, bus: Client, tmp_path: Path) -> None:
    document = (await api.http.get("/api/v1/openapi.json")).json()
    description, models = tmp_path / "openapi.json", tmp_path / "models.py"
    description.write_text(json.dumps(document))
    await _run(
        *("datamodel_code_generator", "--input", str(description), "--input-file-type", "openapi"),
        *("--output", str(models), "--output-model-type", "pydantic_v2.BaseModel", "--disable-timestamp"),
        *("--target-python-version", "3.12", "--use-annotated", "--strict-nullable", "--set-default-enum-member"),
    )
    with _imported(models) as module:
        assert [name for name in document["components"]["schemas"] if not hasattr(module, name)] == []
        call = _Generated(api, document, module)
        session = await call("create_session", {"query": "hi", "labels": {"team": "blue"}})
        session_id = str(session.id)
        await agent_of(bus, session_id).created()
        sent = await call("send_input", {"text": "more"}, session_id=session_id)
        assert sent.state.value == "queued"
        page = await call("list_events", session_id=session_id)
        assert [event.event_type.value for event in page.items] == ["session.created"]
        changed = await call("change_session", {"labels": {"team": None}}, session_id=session_id)
        assert not changed.labels
        await call("interrupt_session", session_id=session_id)
        await call("delete_session", session_id=session_id)
        assert (await call("get_session", session_id=session_id)).id == session.id
