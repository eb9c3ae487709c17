"""How long a process of ours lives that runs beside its parent."""

import ctypes
import signal

_libc = ctypes.CDLL(None)
_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent() -> None:
    """Says it of this process, which may be one that is about to become another program: what nobody waits for any
    more would write into a folder where the next one does.
    """
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
