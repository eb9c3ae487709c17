"""Ports of loopback for tests. Between choosing one and listening there others choose, too: in a whole run of the tests
two of them had the same one at times. So each pytest process has ports of its own, and gives none twice before all.
"""

import os
import random
from collections.abc import Iterator

from jelmore_local.servers.ports import is_free

#: Below those that `jelmore up` and the system choose from.
_RANGE = range(10_500, 15_000)
_WORKERS = 15


def _of_this_process() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    ports = _RANGE[worker::_WORKERS]
    # Where several runs have the machine at once, they begin at different ones.
    at = random.SystemRandom().randrange(len(ports))
    while True:
        at = (at + 1) % len(ports)
        if is_free(ports[at]):
            yield ports[at]


_PORTS = _of_this_process()


def free_port() -> int:
    """Where nobody listens, and no other test will."""
    return next(_PORTS)
