"""What the API server accepts, the models accept, and the other way round; so what is stored can always be read."""

import json
from collections import Counter
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from pydantic import ValidationError

from jelmore_contract.resource import ClaudeSession, SessionSpec
from tests.support.kube_http import Refusal, SessionsHttp
from tests.support.random_specs import SPEC_SCHEMA, specs, without_nulls


def refused_by_models(spec: dict[str, Any]) -> str | None:
    try:
        SessionSpec.model_validate_json(json.dumps(without_nulls(spec, SPEC_SCHEMA)), strict=True)
    except ValidationError as error:
        return str(error)
    return None


def refused_by_server(response: httpx.Response) -> str | None:
    assert response.status_code in (201, 400, 422), response.text
    refusal = Refusal.of(response)
    return refusal.message if refusal else None


def test_api_server_and_models_agree(dry_sessions: SessionsHttp) -> None:
    seen = Counter[bool]()

    # The fixture is a client, which examples may share.
    @settings(max_examples=200, suppress_health_check=list(HealthCheck))
    @given(specs())
    def agree(spec: dict[str, Any]) -> None:
        response = dry_sessions.create(spec)
        server, models = refused_by_server(response), refused_by_models(spec)
        seen[server is None] += 1
        assert (server is None) == (models is None), f"API server: {server}; models: {models}"
        if server is None:
            ClaudeSession.model_validate_json(response.text)

    agree()
    assert min(seen[True], seen[False]) > 20, seen
