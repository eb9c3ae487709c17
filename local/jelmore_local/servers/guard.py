"""Becomes another program that ends when its parent does: `guard.py SIGNAL PARENT UID GID PROGRAM [ARGUMENT...]`.

Run by path with `python -I -S`, so that it costs 25 ms. What it does must be done between fork and exec; done there by
`preexec_fn` it would run Python in the forked copy of a program with threads, which can deadlock.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    signal, parent, uid, gid = map(int, sys.argv[1:5])
    program = sys.argv[5:]
    libc = ctypes.CDLL(None, use_errno=True)
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, which would clear it.
    if libc.prctl(_PR_SET_PDEATHSIG, signal) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent ended first")
    try:
        os.execv(program[0], program)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
