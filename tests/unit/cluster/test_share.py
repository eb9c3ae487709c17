"""Side by side, or alone, and nobody is passed."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tests.support.cluster_share import held
from tests.support.processes import wait_for


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "kubeconfig"
    made.touch()
    return made


def is_free(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_many_hold_it_together(file: Path) -> None:
    with held(file, alone=False):
        with held(file, alone=False):
            assert not is_free(file)
        assert not is_free(file)
    assert is_free(file)


def test_alone_is_after_those_who_were_there_and_before_those_who_come(file: Path) -> None:
    order = list[str]()
    go = threading.Event()

    def alone() -> None:
        with held(file, alone=True):
            order.append("alone")
            assert go.wait(30)
            order.append("alone no more")

    def later() -> None:
        with held(file, alone=False):
            order.append("later")

    threads = [threading.Thread(target=each) for each in (alone, later)]
    with held(file, alone=False):
        threads[0].start()
        wait_for(lambda: not is_free(file.parent))  # it waits at the door
        threads[1].start()
        assert order == []
        order.append("first")
    wait_for(lambda: len(order) > 1)
    assert order == ["first", "alone"]
    go.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "alone", "alone no more", "later"]
