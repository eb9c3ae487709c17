"""A stand-in for a container, for tests as root: namespaces of its own, a user without any right, folders hidden or
read-only. `contained` gives the command; run by path, this module is its first part.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Container:
    """`shown`: folders that its programs are read from, wherever they lie. `own_pids`: its first process is PID 1."""

    uid: int
    gid: int
    hidden: list[str] = field(default_factory=list)
    read_only: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    own_pids: bool = True


def contained(container: Container, argv: Sequence[str]) -> list[str]:
    unshared = ["unshare", "--mount", "--propagation", "private"]
    if container.own_pids:
        unshared += ["--pid", "--fork", "--kill-child"]
    return [*unshared, sys.executable, "-I", "-S", __file__, json.dumps(asdict(container)), *argv]


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _show(paths: list[str]) -> None:
    """Where others may not pass (a home folder, say), an empty folder takes the place that holds these paths alone."""
    closed: dict[Path, list[str]] = {}
    for path in sorted(path for path in paths if not any(Path(path).is_relative_to(o) for o in paths if o != path)):
        above = reversed(Path(path).parents)
        if (at := next((folder for folder in above if not folder.stat().st_mode & 0o001), None)) is not None:
            closed.setdefault(at, []).append(path)
    for at, below in closed.items():
        kept = [os.open(path, os.O_PATH) for path in below]
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(at))
        for path, descriptor in zip(below, kept, strict=True):
            Path(path).mkdir(parents=True)
            subprocess.run(
                ["mount", "-c", "--bind", f"/proc/self/fd/{descriptor}", path], check=True, pass_fds=[descriptor]
            )


def _enter(container: Container) -> None:
    if container.own_pids:
        _mount("-t", "proc", "proc", "/proc")
    _show(container.shown)
    for path in container.read_only:
        _mount("--bind", path, path)
        _mount("-o", "remount,bind,ro", path)
    for path in container.hidden:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", path)


def main() -> None:
    container = Container(**json.loads(sys.argv[1]))
    _enter(container)
    os.umask(0o022)
    user = ["setpriv", f"--reuid={container.uid}", f"--regid={container.gid}", "--clear-groups"]
    powerless = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"]
    os.execvp("setpriv", [*user, *powerless, *sys.argv[2:]])


if __name__ == "__main__":
    main()
