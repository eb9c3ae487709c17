"""`python -m jelmore_operator.check`: looks at an installation from within and says what is wrong. `helm test` runs it.

It is told what the operator is told (JELMORE_NAMESPACE, JELMORE_NAMESPACES, JELMORE_NATS_…), and JELMORE_API_URL.
Exit codes: 0 all is well, 1 something is wrong, 2 wrong settings.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Mapping

import aiohttp
import nats.errors
import nats.js.errors
from kubernetes_asyncio.config import ConfigException

from jelmore_bus import Access, BusClient, Tls
from jelmore_bus.trouble import bus_trouble
from jelmore_contract.subjects import STREAM
from jelmore_operator.kube import lease
from jelmore_operator.kube.api import LEASES, SESSIONS, Api, ApiError, connect

_LIMIT = 10.0  # seconds for an answer
_EVERY = 1.0  # seconds between two looks at the Lease
#: A label that no session has: the answer is short, however many there are.
_NONE = "jelmore.dev/none"


class Wrong(Exception):
    """What is wrong, and what to do."""


async def check_api(url: str) -> str:
    """What was found, in a sentence. Raises Wrong, as do all of these."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_LIMIT)) as http,
            http.get(f"{url}/readyz") as answer,
        ):
            report = await answer.json()
            away = {name: it["message"] for name, it in report["dependencies"].items() if not it["ok"]}
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise Wrong(
            f"The API does not answer at {url} ({type(error).__name__}): look at its pods and their logs, and whether a"
            " network policy is in the way."
        ) from None
    if away:
        raise Wrong(f"The API answers, but {'; '.join(f'{name}: {message}' for name, message in away.items())}.")
    return "The API answers, and has all that it needs."


async def check_bus(access: Access) -> str:
    client = BusClient(_quiet())
    try:
        async with asyncio.timeout(_LIMIT):
            await client.open(access, name="check", retry=0.5)
            info = await client.jetstream().stream_info(STREAM)
    except nats.js.errors.NotFoundError:
        raise Wrong(f"NATS has no stream {STREAM}: the API makes it when it starts; look at its log.") from None
    except (TimeoutError, nats.errors.Error) as error:
        trouble = client.trouble or bus_trouble(error)
        raise Wrong(f"NATS {trouble.text}.") from None
    finally:
        await client.close()
    return f"NATS answers; the log has {info.state.messages} messages."


def _quiet() -> logging.Logger:
    """What is wrong is said once, by this command."""
    logger = logging.getLogger(__name__)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


async def check_definition(api: Api, namespaces: tuple[str, ...]) -> str:
    for namespace in namespaces or (None,):
        try:
            await api.list_all(SESSIONS, namespace, _NONE)
        except ApiError as error:
            if error.status == 404:
                raise Wrong(
                    "The cluster has no claudesessions.jelmore.dev: install the chart with crd.install=true."
                ) from None
            where = f"in {namespace}" if namespace else "in the cluster"
            raise Wrong(f"The operator may not list claudesessions {where} ({error}): upgrade the release.") from None
    return "The cluster serves claudesessions, and the operator may see them."


async def check_lease(api: Api, namespace: str) -> str:
    """By its changes, since hosts' clocks may differ."""
    look = "look at the log of its pods"
    versions = set[str]()
    until = asyncio.get_running_loop().time() + lease.DURATION
    while asyncio.get_running_loop().time() < until:
        try:
            found = await api.get(LEASES, namespace, lease.NAME)
        except ApiError as error:
            raise Wrong(f"The Lease {lease.NAME} cannot be read ({error}): upgrade the release.") from None
        if found is None:
            raise Wrong(f"No operator has ever worked here (there is no Lease {lease.NAME}): {look}.")
        versions.add(found["metadata"]["resourceVersion"])
        holder = found["spec"].get("holderIdentity")
        if holder and len(versions) > 1:
            return f"The operator works: {holder} holds the Lease."
        await asyncio.sleep(_EVERY)
    raise Wrong(f"No operator is at work (the Lease {lease.NAME} was not renewed for {lease.DURATION} s): {look}.")


async def _check(environment: Mapping[str, str]) -> bool:
    namespaces = tuple(filter(None, environment.get("JELMORE_NAMESPACES", "").split(",")))
    client = await connect()
    try:
        api = Api(client)
        checks = [
            check_api(environment["JELMORE_API_URL"]),
            check_bus(_access(environment)),
            check_definition(api, namespaces),
            check_lease(api, environment["JELMORE_NAMESPACE"]),
        ]
        return all(await asyncio.gather(*(_told(check) for check in checks)))
    finally:
        await client.close()


def _access(environment: Mapping[str, str]) -> Access:
    files = (environment.get(f"JELMORE_NATS_{name}", "") for name in ("CA", "CERTIFICATE", "KEY"))
    return Access(environment["JELMORE_NATS_URL"], environment["JELMORE_NATS_CREDENTIALS"], Tls(*files))


async def _told(check: Awaitable[str]) -> bool:
    try:
        print(f"ok     {await check}", flush=True)
    except (Wrong, TimeoutError) as wrong:
        print(f"WRONG  {str(wrong) or 'The API server does not answer.'}", flush=True)
        return False
    return True


def main() -> int:
    try:
        return 0 if asyncio.run(_check(os.environ)) else 1
    except KeyError as missing:
        print(f"{missing.args[0]} is not set.", file=sys.stderr)
        return 2
    except ConfigException:
        print("There is no cluster: run it in one, or set KUBECONFIG.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
