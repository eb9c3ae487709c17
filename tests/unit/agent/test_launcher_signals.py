"""Which signals ask the launcher to end."""

import signal

import pytest

from jelmore_agent.launcher.signals import counts

USER, QUEUED = 0, -1  # si_code


@pytest.mark.parametrize(
    ("number", "code", "sender", "is_init", "asks"),
    [
        (signal.SIGTERM, USER, 0, True, True),  # the kubelet
        (signal.SIGTERM, USER, 77, True, False),  # a program in the container
        (signal.SIGTERM, QUEUED, 0, True, False),  # one that lies about who it is
        (signal.SIGCHLD, USER, 0, True, False),
        (signal.SIGTERM, USER, 77, False, True),  # on one machine: the supervisor
        (signal.SIGCHLD, USER, 77, False, False),
    ],
)
def test_who_may_ask_it_to_end(number: int, code: int, sender: int, is_init: bool, asks: bool) -> None:
    assert counts(number, code, sender, is_init=is_init) is asks
