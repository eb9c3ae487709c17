"""A Secret that is changed while its session runs: the proxy of a real pod uses what it says now, in the same run."""

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jelmore_contract.resource import CredentialsKind
from tests.support.kube_pod import CANARY, KubePod, MakePod
from tests.support.scripts import say, script
from tests.support.session_rig import Log, eventually
from tests.support.tap import Tap, tapped

pytestmark = [pytest.mark.real_cli, pytest.mark.timeout(300)]

_NEXT = "the-next-token"
#: Of the kubelet, which looks at a pod's volumes once in a minute or so, unless something else about it changes.
_LIMIT = 100.0


def completed(input_id: str) -> Callable[[Log], bool]:
    return lambda log: log.input_states(input_id)[-1:] == ["completed"]


def tokens(tap: Tap) -> set[str]:
    lines = bytes(tap.said).decode(errors="replace").split("\r\n")
    heads = ("x-api-key: ", "Authorization: Bearer ")
    return {line.removeprefix(head) for line in lines for head in heads if line.startswith(head)}


async def figures(pod: KubePod) -> dict[str, float]:
    """What the pod's proxy counts, as whoever collects it gets it."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.get(f"http://{pod.pod()['status']['podIP']}:8378/metrics")
    families = text_string_to_metric_families(answer.text)
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("kind", [CredentialsKind.API_KEY, CredentialsKind.GATEWAY])
async def test_a_changed_secret_is_used_without_a_restart(
    make_pod: MakePod, demo_model: str, reachable: Callable[[int], str], kind: CredentialsKind
) -> None:
    async with tapped(demo_model) as before, tapped(demo_model) as after:
        old, new = (f"http://{reachable(urlsplit(tap.url).port or 0)}" for tap in (before, after))
        pod = await make_pod(kind=kind, model_url=old)
        prompt = await pod.input(script(say("one")))
        await pod.until(completed(prompt))
        assert tokens(before) == {CANARY}
        pod.put_credentials(_NEXT, new)
        # A change of the pod has the kubelet look at once.
        pod.kubectl("-n", pod.namespace, "annotate", "pod", "claude-one", "jelmore.test/look=now")
        path = "/etc/jelmore-upstream/" + ("apiKey" if kind is CredentialsKind.API_KEY else "token")
        await eventually(lambda: pod.in_agent("cat", path) == _NEXT, _LIMIT)
        prompt = await pod.input(script(say("two")))
        await pod.until(completed(prompt))
        assert _NEXT in tokens(before if kind is CredentialsKind.API_KEY else after)
    assert pod.log.report is not None
    assert (pod.log.report.run, pod.log.of("error")) == (1, [])
    assert (await figures(pod))["jelmore_proxy_answer_seconds_count"] >= 2
    assert pod.restarts("agent") == 0
