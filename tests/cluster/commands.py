"""What `python -m tests.cluster` does."""

import os
import shlex
import signal
import subprocess
import sys
from typing import Protocol

from tests.cluster import built, cache, kind, machine
from tests.cluster.discovery import Kind, NoCluster
from tests.cluster.errors import ClusterError
from tests.cluster.layout import State


class Provider(Protocol):
    """One way to have a cluster. All raise ClusterError, which says what to do."""

    def prepare(self) -> None:
        """What takes minutes the first time, and a moment when nothing has changed."""

    def up(self, state: State, *, attached: bool) -> None:
        """:param attached: the cluster ends with this process, where it can be made to."""

    def down(self, state: State) -> None:
        """Ends the cluster and removes what is left of it; nothing where there is none."""

    def import_images(self, state: State) -> None: ...

    def host_ip(self) -> str:
        """At which pods reach this machine."""


_PROVIDERS: dict[str, Provider] = {Kind.KIND: kind, Kind.BUILT: built}


def prepare() -> int:
    found = _found()
    if isinstance(found, Kind) and found in _PROVIDERS:
        _PROVIDERS[found].prepare()
    return 0


def up(state: State) -> int:
    found = machine.choose()
    if isinstance(found, NoCluster):
        raise ClusterError(found.reason)
    if found is Kind.GIVEN:
        raise ClusterError("JELMORE_TEST_KUBECONFIG names a cluster already")
    provider = _PROVIDERS[found]
    provider.prepare()
    provider.up(state, attached=False)
    _describe(found, state)
    print(f"The cluster is up: . {state.folder}/env", file=sys.stderr)
    return 0


def images(state: State) -> int:
    provider = _provider_of(state)
    provider.prepare()
    provider.import_images(state)
    return 0


def down(state: State) -> int:
    _provider_of(state).down(state)
    return 0


def run(command: list[str], *, anyway: bool = False) -> int:
    """
    :param anyway: the command is run without a cluster too.
    :returns: the command's exit code; 0 where there is no cluster, and the command was not run.
    """
    found = _found()
    if isinstance(found, NoCluster) and not anyway:
        return 0
    if isinstance(found, NoCluster) or found is Kind.GIVEN:
        return _wait(subprocess.Popen(command))
    provider = _PROVIDERS[found]
    state = State(cache.folder() / "cluster")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    provider.prepare()
    try:
        provider.up(state, attached=True)
        _describe(found, state)
        return _wait(subprocess.Popen(command, env={**os.environ, **_environment(provider, state)}))
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        provider.down(state)


def _found() -> Kind | NoCluster:
    """:raises ClusterError: there is none, and JELMORE_REQUIRE_CLUSTER says that there has to be."""
    found = machine.choose()
    if isinstance(found, NoCluster):
        if os.environ.get("JELMORE_REQUIRE_CLUSTER") == "1":
            raise ClusterError(f"JELMORE_REQUIRE_CLUSTER=1, but {found.reason}")
        print(f"The tests in tests/e2e are skipped: {found.reason}.", file=sys.stderr, flush=True)
    return found


def _provider_of(state: State) -> Provider:
    try:
        return _PROVIDERS[(state.folder / "provider").read_text()]
    except FileNotFoundError:
        raise ClusterError(f"There is no cluster in {state.folder}") from None


def _describe(kind: Kind, state: State) -> None:
    """For other shells, and for `down`."""
    (state.folder / "provider").write_text(kind)
    exports = {**_environment(_PROVIDERS[kind], state), "KUBECONFIG": str(state.kubeconfig)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    (state.folder / "env").write_text("\n".join([*lines, f"export PATH={shlex.quote(str(state.bin))}:$PATH"]) + "\n")


def _environment(provider: Provider, state: State) -> dict[str, str]:
    return {
        "JELMORE_TEST_KUBECONFIG": str(state.kubeconfig),
        "JELMORE_TEST_NODE_IP": provider.host_ip(),
        "JELMORE_TEST_BIN": str(state.bin),
    }


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Ctrl-C reaches the command too; it ends by itself, in its own time. SIGTERM is passed on."""
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else 128 - code
        except KeyboardInterrupt:
            continue
        except SystemExit:
            process.terminate()
