"""Owns the Claude Code CLI of one session: starts it as the agent asks, feeds it, reports its end, outlives
the agent.

Run by its path, `python -I -S …/launcher/__main__.py --socket PATH`; standard library only, since it stands in
Claude's container, as PID 1 there. What it says to the agent and hears from it is in link/README.md, when it does what
in policy.py. It holds no state but the processes themselves: when it dies, the CLI dies with it, and the agent starts a
new run.
"""

# pathlib would cost the launcher a megabyte.
# ruff: noqa: PTH100, PTH108, PTH120, PTH123

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

if not __package__:  # run by path in isolated mode, where its own package is not found
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from jelmore_agent.launcher import process
from jelmore_agent.launcher.loop import Launcher
from jelmore_agent.launcher.policy import Limits
from jelmore_agent.launcher.signals import Signals


def main() -> None:
    options = _options()
    try:
        nonce = _nonce(options.nonce_file)
        process.keep_small()
        process.harden()
        with _pid_file(options.pid_file) if options.pid_file else nullcontext():
            limits = Limits(options.grace, options.orphan_timeout, options.min_free)
            Launcher(options.socket, nonce, limits, Signals()).run()
    except OSError as error:
        sys.exit(f"launcher: {error}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jelmore-launcher", formatter_class=_Formatter)
    parser.add_argument("--socket", required=True, metavar="PATH", help="where the agent listens")
    parser.add_argument("--pid-file", metavar="PATH", help="gets this process's number and start time; one holds it")
    parser.add_argument("--nonce-file", metavar="PATH", help="what the agent knows us by (or JELMORE_NONCE)")
    parser.add_argument("--grace", type=float, default=30, metavar="S", help="after SIGTERM, the agent's share")
    parser.add_argument("--orphan-timeout", type=float, default=0, metavar="S", help="without an agent (0: no limit)")
    parser.add_argument("--min-free", type=int, default=64 << 20, metavar="BYTES", help="below it the CLI stands still")
    return parser.parse_args()


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)  # to ask for the terminal's width would import a megabyte


def _nonce(path: str | None) -> str:
    if path is None:
        nonce = os.environ.get("JELMORE_NONCE", "")
    else:
        with open(path, encoding="ascii") as file:
            nonce = file.read().strip()
    if not nonce:
        raise OSError("no nonce: name a file that holds it with --nonce-file, or set JELMORE_NONCE")
    return nonce


@contextmanager
def _pid_file(path: str) -> Iterator[None]:
    """Holds `PID STARTTIME` (clock ticks since boot: together they name one process), locked while this
    process lives.

    Raises OSError if another launcher holds it: there are never two CLIs on one transcript.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(f"another launcher of this session is running: {path} is locked") from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {process.start_time(os.getpid())}\n".encode(), 0)
    yield
    os.unlink(path)


if __name__ == "__main__":
    main()
