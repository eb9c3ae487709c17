"""`python -m tests.cluster run -- COMMAND`, with a cluster that only counts."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cluster import commands, config, lifecycle, machine
from tests.cluster.discovery import Kind, NoCluster
from tests.cluster.errors import ClusterError
from tests.cluster.layout import State


class Stub:
    def __init__(self, failing: str | None = None) -> None:
        self.failing = failing
        self.done: list[str] = []

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.failing:
            raise ClusterError(what)

    def prepare(self) -> None:
        self._do("prepare")

    def up(self, state: State, *, attached: bool) -> None:
        assert attached
        state.folder.mkdir(parents=True)
        self._do("up")

    def down(self, state: State) -> None:
        self._do("down")

    def import_images(self, state: State) -> None:
        self._do("import")

    def host_ip(self) -> str:
        return "10.0.0.1"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("JELMORE_REQUIRE_CLUSTER", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return monkeypatch


def _use(patch: pytest.MonkeyPatch, cluster: Kind | NoCluster, stub: Stub | None = None) -> None:
    patch.setattr(machine, "choose", lambda: cluster)
    patch.setattr(commands, "_PROVIDERS", {Kind.BUILT: stub} if stub else {})


def _writes(path: Path) -> list[str]:
    program = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w')); sys.exit(3)"
    return [sys.executable, "-c", program, str(path)]


def test_the_command_knows_the_cluster_and_says_how_it_ended(found: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stub = Stub()
    _use(found, Kind.BUILT, stub)
    assert commands.run(_writes(tmp_path / "environment")) == 3
    assert stub.done == ["prepare", "up", "down"]
    environment = json.loads((tmp_path / "environment").read_text())
    state = tmp_path / "jelmore-tests" / "cluster"
    assert environment["JELMORE_TEST_KUBECONFIG"] == str(state / "kubeconfig")
    assert environment["JELMORE_TEST_BIN"] == str(state / "bin")
    assert environment["JELMORE_TEST_NODE_IP"] == "10.0.0.1"


def test_a_cluster_that_did_not_come_up_is_taken_down_too(found: pytest.MonkeyPatch) -> None:
    stub = Stub(failing="up")
    _use(found, Kind.BUILT, stub)
    with pytest.raises(ClusterError):
        commands.run(["true"])
    assert stub.done == ["prepare", "up", "down"]


def test_a_command_that_cannot_be_run_leaves_no_cluster(found: pytest.MonkeyPatch) -> None:
    stub = Stub()
    _use(found, Kind.BUILT, stub)
    with pytest.raises(FileNotFoundError):
        commands.run(["/there/is/no/such"])
    assert stub.done == ["prepare", "up", "down"]


def test_a_given_cluster_is_left_as_it_is(found: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _use(found, Kind.GIVEN)
    assert commands.run(_writes(tmp_path / "environment")) == 3


def test_without_a_cluster_one_line_says_so(found: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    _use(found, NoCluster("why"))
    assert commands.run(["/there/is/no/such"]) == 0
    assert capfd.readouterr().err == "The tests in tests/e2e are skipped: why.\n"


def test_where_there_must_be_one_that_is_a_failure(found: pytest.MonkeyPatch) -> None:
    found.setenv("JELMORE_REQUIRE_CLUSTER", "1")
    _use(found, NoCluster("why"))
    with pytest.raises(ClusterError, match="JELMORE_REQUIRE_CLUSTER=1, but why"):
        commands.run(["true"])


def test_a_folder_with_something_else_in_it_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ClusterError, match=r"thesis\.tex"):
        lifecycle.remove(State(tmp_path))
    assert (tmp_path / "thesis.tex").exists()


def test_pods_have_no_way_out(tmp_path: Path) -> None:
    state = State(tmp_path / os.urandom(4).hex())
    for folder in (state.pki, state.config):
        folder.mkdir(parents=True)
    state.token.write_text("token")
    config.write(state)
    network = json.loads((state.config / "cni" / "10-bridge.conflist").read_text())
    bridge = network["plugins"][0]
    assert bridge["ipMasq"] is False
    assert {route["dst"] for route in bridge["ipam"]["routes"]} == {"10.96.0.0/16", "10.245.0.0/30"}
    assert state.kubeconfig.stat().st_mode & 0o777 == 0o600
