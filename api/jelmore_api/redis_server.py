"""Redis, or a server that speaks like it: the versions that are taken, and what is wrong in a sentence.

The URL is redis-py's: rediss:// for TLS, with `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` as its parameters.
"""

import os
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, RedisError, ResponseError

from jelmore_contract.trouble import TlsRemedies, Trouble, Unsuitable, causes, connection_trouble

#: Valkey and others say in `redis_version` which Redis they are like.
LEAST_REDIS = (7, 0)
_TIMEOUT = 2  # seconds
_SCHEMES = ("redis", "rediss", "unix")
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_REMEDIES = TlsRemedies(
    "name the file of that authority's certificate by ssl_ca_certs=FILE in JELMORE_REDIS_URL",
    "name one that it knows by ssl_certfile=FILE and ssl_keyfile=FILE in JELMORE_REDIS_URL",
)


class UnsuitableRedis(Unsuitable, RedisError):
    """One that answers and will not do, or an address that cannot be used."""


def redis_at(url: str) -> "Redis":
    """A client that connects when it is asked."""
    client: Redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
    return client


async def check_redis(redis: "Redis") -> None:
    """Raises UnsuitableRedis, or what redis-py raises while there is none."""
    try:
        found = str((await redis.info("server")).get("redis_version", ""))
    except (NoPermissionError, ResponseError):
        await redis.ping()  # this user may not ask for the version
        return
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdecimal())
    if numbers < LEAST_REDIS:
        least = ".".join(map(str, LEAST_REDIS))
        raise UnsuitableRedis(f"is {found or 'of an unknown version'}, but Jelmore needs {least} or later: upgrade it")


def check_redis_url(url: str) -> None:
    """Raises ValueError, which quotes nothing of it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in _SCHEMES:
        raise ValueError(
            "it must be redis://HOST:6379/0, or rediss:// for TLS; what is special in a URL is written as %XX in user"
            " and password"
        )
    for name, value in parse_qsl(parts.query):
        if name in _FILES and not os.access(Path(value), os.R_OK):
            raise ValueError(f"the file of {name} cannot be read: correct the path, or its owner and mode")


def redis_trouble(error: BaseException) -> Trouble:
    for cause in causes(error):
        if isinstance(cause, Unsuitable):
            return Trouble(str(cause))
        if isinstance(cause, AuthenticationError):
            return Trouble("refuses the password: correct user and password in JELMORE_REDIS_URL")
        if isinstance(cause, NoPermissionError):
            return Trouble("does not let this user do what Jelmore needs: give it +@all on ~jelmore:*")
        if isinstance(cause, BusyLoadingError):
            return Trouble("is loading its data", lasting=False)
        if isinstance(cause, TimeoutError):
            return Trouble("does not answer: start it, or correct its address (redis:// where it has no TLS)", False)
        if isinstance(cause, ConnectionResetError):
            return Trouble(f"closed the connection; if it wants a client certificate, {_REMEDIES.certificate}", False)
    return connection_trouble(error, _REMEDIES)
