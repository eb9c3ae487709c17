"""The operator before an API server without a node: what it makes there, and nothing that runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.bare_kube import BareKube
from tests.support.kube_operator import KubeOperator, Objects, operator_environment
from tests.support.kube_proxy import KubeProxy, kube_proxy
from tests.support.own_nats import OwnNats


@pytest.fixture
async def bare_proxy(bare_kube: BareKube) -> AsyncIterator[KubeProxy]:
    async with kube_proxy(bare_kube.operator_kubeconfig) as running:
        yield running


@pytest.fixture
def bare_objects(bare_kube: BareKube) -> Objects:
    """Of a fresh namespace."""
    return Objects(bare_kube.kubectl, bare_kube.namespace())


@pytest.fixture
async def bare_operator(
    bare_kube: BareKube, operator_bus: OwnNats, bare_objects: Objects, tmp_path: Path
) -> AsyncIterator[KubeOperator]:
    """Not started yet. It sees the sessions of the test's namespace alone, which is its own too."""
    environment = operator_environment(
        tmp_path, bare_kube.operator_kubeconfig, operator_bus, namespace=bare_objects.namespace
    )
    environment["JELMORE_NAMESPACES"] = bare_objects.namespace
    operator = KubeOperator(environment, tmp_path / "operator.log")
    yield operator
    await operator.end()


@pytest.fixture
def faulty_operator(bare_operator: KubeOperator, bare_proxy: KubeProxy, tmp_path: Path) -> KubeOperator:
    """The same, through a proxy that makes things go wrong."""
    bare_operator.environment["KUBECONFIG"] = str(bare_proxy.kubeconfig(tmp_path))
    return bare_operator
