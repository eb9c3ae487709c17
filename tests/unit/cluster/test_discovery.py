"""Which cluster the tests get."""

from collections.abc import Callable

import pytest

from tests.cluster.discovery import Kind, NoCluster, Obstacle, built_obstacle, choose, kind_obstacle


def _not_asked() -> Obstacle:
    raise AssertionError("asked what need not be known")


def _can() -> Obstacle:
    return None


def _cannot() -> Obstacle:
    return "for a reason"


@pytest.mark.parametrize(
    ("given", "kind", "built", "found"),
    [
        ("/kubeconfig", _not_asked, _not_asked, Kind.GIVEN),
        (None, _can, _not_asked, Kind.KIND),
        ("", _can, _not_asked, Kind.KIND),
        (None, _cannot, _can, Kind.BUILT),
    ],
)
def test_the_first_that_can_be_had_is_taken(
    given: str | None, kind: Callable[[], Obstacle], built: Callable[[], Obstacle], found: Kind
) -> None:
    assert choose(given, kind, built) is found


def test_where_there_is_none_one_line_says_why_and_what_would_bring_one() -> None:
    none = choose(None, lambda: "Docker does not answer", lambda: "that needs root")
    assert isinstance(none, NoCluster)
    assert none.reason.splitlines() == [none.reason]
    for word in ("JELMORE_TEST_KUBECONFIG", "kind (Docker does not answer)", "that needs root"):
        assert word in none.reason


@pytest.mark.parametrize(
    ("has_kind", "has_docker", "pulls", "obstacle"),
    [
        (True, True, True, None),
        (False, True, True, "the program kind is not installed"),
        (True, False, True, "Docker does not answer"),
        (True, True, False, "Docker cannot pull its node image"),
    ],
)
def test_what_keeps_kind_from_being_used(has_kind: bool, has_docker: bool, pulls: bool, obstacle: Obstacle) -> None:
    assert kind_obstacle(has_kind=has_kind, has_docker=has_docker, pull=lambda: pulls) == obstacle


@pytest.mark.parametrize(
    ("distribution", "root", "go", "obstacle"),
    [
        ("debian", True, "go version go1.26.8 linux/amd64", None),
        ("debian", True, "go version go1.21 linux/arm64", None),
        ("ubuntu", True, "go version go1.26.8 linux/amd64", "this is not Debian"),
        ("debian", False, "go version go1.26.8 linux/amd64", "that needs root"),
        ("debian", True, "go version go1.19.8 linux/amd64", "that needs Go 1.21 or later"),
        ("debian", True, None, "that needs Go 1.21 or later"),
    ],
)
def test_what_keeps_one_from_being_built(distribution: str, root: bool, go: str | None, obstacle: Obstacle) -> None:
    assert built_obstacle(distribution=distribution, root=root, go=go) == obstacle
