"""Sessions that run: Claude Code in its container, ready for a prompt, though no model answers it here."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.kube_operator import KubeOperator, Objects, session_manifest, until
from tests.support.kube_proxy import KubeProxy

type Kubectl = Callable[..., str]

_READY = 60.0  # seconds: of a pod on a machine that does much else


def make_credentials(kubectl: Kubectl, objects: Objects, **values: str) -> None:
    literals = [f"--from-literal={key}={value}" for key, value in (values or {"oauthToken": "x"}).items()]
    kubectl("-n", objects.namespace, "create", "secret", "generic", "claude-credentials", *literals)


def is_idle(objects: Objects, run: int = 1) -> bool:
    status = objects.status()
    return (status.get("state"), status.get("run")) == ("idle", run)


@pytest.mark.real_cli
async def test_from_a_create_to_a_session_that_is_ready_are_five_writes(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl, proxy: KubeProxy
) -> None:
    await session_operator.start()
    make_credentials(kubectl, objects)
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: is_idle(objects), _READY)
    assert [write.rpartition("/")[2] for write in proxy.writes] == ["a", "claude-a", "claude-a", "pods", "status"]
    assert set(objects.conditions().values()) == {"True"}
    assert objects.events() == ["Started"]


@pytest.mark.real_cli
@pytest.mark.parametrize(("kind", "keys"), [("oauthToken", ["oauthToken"]), ("gateway", ["token", "baseUrl"])])
async def test_credentials_that_are_missing_are_told_and_waited_for(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl, kind: str, keys: list[str]
) -> None:
    session_operator.environment["JELMORE_CREDENTIALS_KIND"] = kind
    await session_operator.start()
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: objects.conditions().get("CredentialsReady") == "False", _READY)
    status = objects.status()
    assert status["state"] == "pending"
    command = f"kubectl -n {objects.namespace} create secret generic claude-credentials --from-literal={keys[0]}="
    assert command in status["message"]
    pod = objects.all("pods")[0]["metadata"]["uid"]
    make_credentials(kubectl, objects, **dict.fromkeys(keys, "http://x"))
    await until(lambda: is_idle(objects), _READY)
    assert objects.status().get("message") is None
    assert objects.conditions()["CredentialsReady"] == "True"
    assert [each["metadata"]["uid"] for each in objects.all("pods")] == [pod]
    assert objects.events() == ["Started", "CredentialsMissing"]


@pytest.mark.real_cli
async def test_a_mended_name_of_the_secret_helps_at_once(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await session_operator.start()
    make_credentials(kubectl, objects)
    wrong = {"secretName": "claude-credentails", "kind": "oauthToken"}
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace, credentials=wrong))
    await until(lambda: objects.conditions().get("CredentialsReady") == "False", _READY)
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: is_idle(objects), _READY)
    assert "Replaced" in objects.events()


@pytest.mark.real_cli
async def test_a_pod_that_is_deleted_comes_back_as_the_next_run(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await session_operator.start()
    make_credentials(kubectl, objects)
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: is_idle(objects), _READY)
    kubectl("-n", objects.namespace, "delete", "pod", "claude-a", "--wait=false")
    await until(lambda: is_idle(objects, run=2), 2 * _READY)
    assert objects.events() == ["Started", "Resumed"]


@pytest.mark.real_cli
async def test_a_suspended_session_has_no_pod_and_wakes_on_its_volume(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl
) -> None:
    await session_operator.start()
    make_credentials(kubectl, objects)
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: is_idle(objects), _READY)
    claim = objects.all("pvc")[0]["metadata"]["uid"]
    suspend(kubectl, objects, True)
    await until(lambda: objects.status().get("state") == "hibernated", _READY)
    # What has ended may be an object still for a moment.
    await until(lambda: objects.all("pods") == [] and objects.status().get("podName") is None)
    suspend(kubectl, objects, False)
    await until(lambda: is_idle(objects, run=2), _READY)
    assert objects.all("pvc")[0]["metadata"]["uid"] == claim
    assert objects.events() == ["Started", "Hibernated", "Resumed"]


def suspend(kubectl: Kubectl, objects: Objects, yes: bool) -> None:
    manifest = session_manifest(objects.namespace, lifecycle={"suspend": yes})
    kubectl("apply", "-f", "-", input=manifest)


@pytest.mark.real_cli
async def test_an_operator_that_was_away_finds_all_as_it_should_be(
    session_operator: KubeOperator, objects: Objects, kubectl: Kubectl, proxy: KubeProxy
) -> None:
    first = await session_operator.start()
    make_credentials(kubectl, objects)
    kubectl("apply", "-f", "-", input=session_manifest(objects.namespace))
    await until(lambda: is_idle(objects), _READY)
    first.terminate()
    assert await asyncio.wait_for(first.wait(), 20) == 0
    proxy.writes.clear()
    kubectl("-n", objects.namespace, "delete", "claudesession", "a", "--wait=false")
    await session_operator.start()
    await until(lambda: objects.all("claudesessions") == [], _READY)
    await until(lambda: objects.all("pods") == objects.all("pvc") == [], _READY)
    assert [write.split()[0] for write in proxy.writes] == ["DELETE", "PATCH"]
