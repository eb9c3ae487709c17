"""The table of edits (docs/lifecycle.md) on a cluster: what only the next pod has, and what the API server refuses. The
rest of it is in tests/integration/operator/test_edits.py.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic.alias_generators import to_camel

from tests.support import edits
from tests.support.kube_http import Refusal, SessionsHttp
from tests.support.platform import LIMIT_S, Platform
from tests.support.processes import wait_for
from tests.support.recorder import Recorder

#: By field: a change of the spec, and whether the pod shows it.
IN_THE_NEXT_POD: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = {
    "credentials": (
        {"credentials": {"secretName": "other"}},
        lambda pod: "other" in [volume.get("secret", {}).get("secretName") for volume in pod["spec"]["volumes"]],
    ),
    "resources": (
        {"resources": {"limits": {"memory": "3Gi"}}},
        lambda pod: pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "3Gi",
    ),
    "pod_template": (
        {"podTemplate": {"tolerations": [{"key": "jelmore.dev/test", "operator": "Exists"}]}},
        lambda pod: "jelmore.dev/test" in [each.get("key") for each in pod["spec"].get("tolerations", [])],
    ),
}


@pytest.mark.real_cli
@pytest.mark.timeout(300)
def test_what_acts_in_the_next_pod(
    platform: Platform, recorder: Callable[[], Recorder], reachable: Callable[[int], str]
) -> None:
    """All of it by one edit: nothing shows before the next pod, and then everything."""
    model = recorder()
    for name in ("first", "other"):
        platform.secret(name, token=f"token-{name}", baseUrl=f"http://{reachable(model.port)}")
    session = platform.apply("edited", **edits.SPEC, credentials={"secretName": "first", "kind": "gateway"})

    def pod() -> dict[str, Any]:
        return platform.get("pod", "claude-edited")

    def in_pod(container: str, command: str) -> str:
        return platform.kubectl(
            *("exec", "-n", platform.namespace, "claude-edited", "-c", container, "--", "sh", "-c", command)
        )

    def asked() -> list[dict[str, Any]]:
        bodies = [json.loads(request.body) for request in model.requests if request.path == "/v1/messages"]
        return [body for body in bodies if body.get("tools")]

    def turn(number: int, run: int) -> edits.Turn:
        before = len(asked()) if number > 1 else 0
        if number > 1:
            answer = platform.http.post(f"/api/v1/session/{session}/input", json={"text": edits.TURN})
            answer.raise_for_status()
        platform.until_state("edited", "idle", turns=number, run=run)

        def lines() -> list[dict[str, Any]]:
            found = [each["payload"] for each in platform.events(session) if each["event_type"] == "session.output"]
            return found if sum(line["type"] == "result" for line in found) == number else []

        wait_for(lambda: bool(lines()), LIMIT_S)
        spool = in_pod("agent", f"cat /var/lib/jelmore/run-{run}.jsonl")
        return edits.Turn(asked()[before], *edits.lines_of_turn(lines()), spool)

    pods_only = edits.fields(edits.NEXT_POD)
    assert edits.shown(turn(1, run=1)) == []
    in_pod("claude", f"mkdir /workspace/.claude && echo '{edits.SETTINGS}' > /workspace/.claude/settings.json")
    first = pod()
    changes = edits.all_changes()
    for field in pods_only:
        changes |= IN_THE_NEXT_POD[field][0]
    platform.kubectl(
        *("patch", "-n", platform.namespace, "claudesession", "edited", "--type=merge", "-p"),
        json.dumps({"spec": changes}),
    )
    generation = platform.get("claudesession", "edited")["metadata"]["generation"]
    platform.until("edited", lambda status: status.get("observedGeneration") == generation)
    assert edits.shown(turn(2, run=1)) == []
    assert pod()["metadata"]["uid"] == first["metadata"]["uid"]
    assert [field for field in pods_only if IN_THE_NEXT_POD[field][1](pod())] == []
    assert {request.headers.get("authorization") for request in model.requests} <= {"Bearer token-first", None}
    platform.kubectl("delete", "-n", platform.namespace, "pod", "claude-edited")
    platform.until_state("edited", "idle", run=2)
    assert edits.shown(turn(3, run=2)) == edits.fields(edits.NEXT_RUN)
    assert [field for field in pods_only if IN_THE_NEXT_POD[field][1](pod())] == pods_only
    assert model.requests[-1].headers["authorization"] == "Bearer token-other"


def _camel(value: Any) -> Any:
    return {to_camel(key): _camel(each) for key, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("field", edits.fields(edits.REFUSED))
def test_what_the_api_server_refuses(sessions_http: SessionsHttp, field: str) -> None:
    path = ".".join(to_camel(name) for name in field.split("."))
    created = sessions_http.create(_camel(edits.MADE)).json()
    refusal = Refusal.of(sessions_http.patch({"spec": _camel(edits.REFUSALS[field])}))
    assert refusal is not None
    assert refusal.code == 422
    assert any(cause.startswith(f"spec.{path}") for cause in refusal.causes), refusal.causes
    assert sessions_http.get() == created
