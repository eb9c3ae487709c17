"""`python -m jelmore_operator`: the operator of a cluster.

Exit codes: 0 asked to stop, 1 cannot go on, 2 wrong settings.
"""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys

import nats.errors
import uvloop
from kubernetes_asyncio.config import ConfigException

from jelmore_operator.jsonlog import JsonLines
from jelmore_operator.kube.api import connect
from jelmore_operator.kube.lease import LeaseLost
from jelmore_operator.kube.operator import Operator
from jelmore_operator.kube.settings import OperatorSettings, SettingsError, read_settings

logger = logging.getLogger("jelmore_operator")


def main() -> int:
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(f"jelmore-operator: {error}", file=sys.stderr)
        return 2
    _log_json()
    try:
        _collect_seldom()
        uvloop.run(_run(settings))
    except ConfigException:
        print("jelmore-operator: there is no cluster: run it in one, or set KUBECONFIG.", file=sys.stderr)
        return 2
    except BaseExceptionGroup as group:
        return _failed(group)
    except (LeaseLost, nats.errors.Error) as error:
        return _failed(error)
    return 0


def _collect_seldom() -> None:
    """Each pass makes some hundred objects that live as long as it does, and hardly a cycle: to look for those as often
    as Python does by itself was an eighth of the operator's CPU.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _failed(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    known = isinstance(error, LeaseLost | nats.errors.Error)
    logger.error("ending: %s", error, exc_info=None if known else error)
    return 1


async def _run(settings: OperatorSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    client = await connect()
    try:
        await Operator(settings, client, f"{socket.gethostname()}_{secrets.token_hex(4)}").run(stopping)
    finally:
        await client.close()


def _log_json() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("kopf", "kubernetes_asyncio", "nats", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It says that it cannot take signals in a thread, which is as it should be.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
