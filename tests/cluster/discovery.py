"""Which cluster the tests get. The choice is here; what the machine has is asked by whoever calls."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# A Go from before it could fetch a newer one by itself cannot build today's Kubernetes.
_GO = (1, 21)


class Kind(StrEnum):
    GIVEN = "given"
    KIND = "kind"
    BUILT = "built"


@dataclass(frozen=True)
class NoCluster:
    """:param reason: why there is none, and what would enable the tests, in one line."""

    reason: str


# Why one cannot be had in that way, or None where it can.
type Obstacle = str | None


def choose(given: str | None, kind: Callable[[], Obstacle], built: Callable[[], Obstacle]) -> Kind | NoCluster:
    """
    :param given: JELMORE_TEST_KUBECONFIG.
    :param kind: asked only where no cluster is given, since to ask may be to pull an image.
    :param built: asked only where kind cannot be had.
    """
    if given:
        return Kind.GIVEN
    kind_obstacle = kind()
    if kind_obstacle is None:
        return Kind.KIND
    built_obstacle = built()
    if built_obstacle is None:
        return Kind.BUILT
    return NoCluster(
        f"no Kubernetes to test on: name one with JELMORE_TEST_KUBECONFIG, or have kind ({kind_obstacle}), or let one "
        f"be built ({built_obstacle})"
    )


def kind_obstacle(*, has_kind: bool, has_docker: bool, pull: Callable[[], bool]) -> Obstacle:
    """:param pull: whether kind's node image is there, or Docker could pull it just now."""
    if not has_kind:
        return "the program kind is not installed"
    if not has_docker:
        return "Docker does not answer"
    return None if pull() else "Docker cannot pull its node image"


def built_obstacle(*, distribution: str, root: bool, go: str | None) -> Obstacle:
    """
    :param distribution: ID of /etc/os-release.
    :param go: what `go version` says.
    """
    if distribution != "debian":
        return "this is not Debian"
    if not root:
        return "that needs root"
    version = re.search(r"go(\d+)\.(\d+)", go or "")
    if not version or (int(version[1]), int(version[2])) < _GO:
        return f"that needs Go {_GO[0]}.{_GO[1]} or later"
    return None
