"""Tests use one cluster side by side, except one that changes what all of its namespaces share."""

import contextlib
import fcntl
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

#: Whose tests have the cluster to themselves: tests.support.kube_http.
_ALONE = "crd_changes"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Outermost, fixtures and pytest-timeout within: waiting for others is not the test's time."""
    kubeconfig = os.environ.get("JELMORE_TEST_KUBECONFIG")
    names = item.fixturenames if isinstance(item, pytest.Function) else []
    if kubeconfig is None or "kubeconfig" not in names:
        return (yield)
    with held(Path(kubeconfig), alone=_ALONE in names):
        return (yield)


@contextlib.contextmanager
def held(file: Path, *, alone: bool) -> Iterator[None]:
    """The file, among all processes that hold it: with others, or alone. In the order in which they came: who waits to
    be alone is not passed by those who come later. Needs no right but to read.
    """
    with _opened(file) as room:
        with _opened(file.parent) as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Its lock goes with the descriptor."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
