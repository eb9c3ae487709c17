"""SIGTERM and SIGCHLD as a descriptor, which tells who sent them too. Standard library only.

As PID 1 of its container the launcher shares its uid with all that Claude runs, which may send it any signal. Those
that it ignores, and KILL and STOP, do nothing to a PID 1; SIGTERM counts only when it comes from outside the container.
"""

import ctypes
import os
import signal
import struct

_ASKED = (signal.SIGTERM, signal.SIGCHLD)
_SI_USER = 0  # kill(2); whoever queues a signal with words of their own cannot claim it
_INFO = struct.Struct("=IiiI")  # of struct signalfd_siginfo: number, errno, code, sender's pid
_INFO_SIZE = 128
_SIGSET_SIZE = 128  # sigset_t of glibc and musl

_libc = ctypes.CDLL(None, use_errno=True)


class Signals:
    """Raises OSError if the kernel has no signalfd."""

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED)
        wanted = ctypes.create_string_buffer(_SIGSET_SIZE)
        _libc.sigemptyset(wanted)
        for number in _ASKED:
            _libc.sigaddset(wanted, number)
        # SFD_NONBLOCK and SFD_CLOEXEC are defined as the same bits.
        self._descriptor = int(_libc.signalfd(-1, wanted, os.O_NONBLOCK | os.O_CLOEXEC))
        if self._descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"signalfd: {os.strerror(code)}")
        self._is_init = os.getpid() == 1

    def fileno(self) -> int:
        return self._descriptor

    def stop_asked(self) -> bool:
        """Takes the signals that came; whether one asks this process to end."""
        try:
            data = os.read(self._descriptor, 16 * _INFO_SIZE)
        except BlockingIOError:
            return False
        infos = (_INFO.unpack_from(data, start) for start in range(0, len(data), _INFO_SIZE))
        return any(counts(number, code, sender, is_init=self._is_init) for number, _, code, sender in infos)


def counts(number: int, code: int, sender: int, *, is_init: bool) -> bool:
    """Whether a signal asks us to end. `sender` is 0 for a process outside of our PID namespace."""
    return number == signal.SIGTERM and (not is_init or (code == _SI_USER and sender == 0))
