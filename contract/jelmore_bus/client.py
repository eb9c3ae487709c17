"""nats-py's client as Jelmore uses it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
import nkeys
from nats.aio.client import Client
from nats.aio.msg import Msg

from jelmore_bus.access import Access
from jelmore_bus.trouble import ClientCertificate, TooOld, WithoutTls, bus_trouble
from jelmore_contract.bus import LEAST_NATS_VERSION
from jelmore_contract.trouble import Trouble

_ENDS = (nats.errors.UnexpectedEOF, nats.errors.StaleConnectionError, OSError)

type Callback = Callable[[], Awaitable[None]]


class BusClient(Client):
    """Refuses servers that are too old before anything is sent to them, each time that it connects. Says once what is
    wrong, and once that it is well again; `trouble` is what is wrong now.

    Lives with any subject and any header. A subject is any bytes without blanks, a header any bytes, and a session may
    publish below its own subjects: nats-py decodes both as UTF-8, and what is none ends its reading of the connection
    for good, without a word. What is no UTF-8 in a subject arrives as U+FFFD here: it is then no subject of the log,
    and is treated as such. A header that cannot be read counts as none.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._demands_tls = False
        self._has_certificate = False
        self._then: Callback | None = None
        self.trouble: Trouble | None = Trouble("was not reached yet", lasting=False)
        #: Whether anything has come of connecting yet.
        self.attempted = asyncio.Event()

    async def open(
        self, access: Access, *, name: str, retry: float, reconnected: Callback | None = None, **options: Any
    ) -> None:
        """Tries until it is connected, every `retry` seconds, and from then on whenever the connection is lost, for
        ever. `name`: what the server shows of this connection. `options`: more of `connect`'s.
        """
        self._demands_tls = access.demands_tls
        self._has_certificate = bool(access.tls.certificate)
        self._then = reconnected
        while True:
            try:
                await self.connect(
                    name=name,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=retry,  # type: ignore[arg-type]  # seconds, of any kind
                    error_cb=self._failed,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._back,
                    **access.options(),
                    **options,
                )
            except (nats.errors.Error, OSError, ValueError, nkeys.NkeysError) as error:
                # A file of credentials that is not there yet, say, or half written.
                await self._failed(error)
                await asyncio.sleep(retry)
            else:
                self._well()
                return

    @property
    def auth_required(self) -> bool:
        """Whether the server that was reached last has users."""
        return bool(self._server_info.get("auth_required"))

    async def close(self) -> None:
        """Also in the middle of an attempt to connect, where nats-py leaves its socket behind."""
        with contextlib.suppress(
            TypeError, OSError
        ):  # nats-py 2.16 writes what it has left to a connection that is gone
            await super().close()
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]  # nats-py's own

    async def _failed(self, error: Exception) -> None:
        self.attempted.set()
        if self.is_connected:
            # Its end is told by `_lost`; other errors are of a subscription or the like, whose owner sees to it.
            level = logging.DEBUG if isinstance(error, _ENDS) else logging.INFO
            self._logger.log(level, "NATS: %s", str(error) or type(error).__name__)
            return
        if isinstance(error, ConnectionError | asyncio.IncompleteReadError) and self._server_info.get("tls_verify"):
            error = ClientCertificate()  # such a server hangs up without a word
        trouble = bus_trouble(error)
        if trouble != self.trouble:
            self._logger.warning("NATS %s", trouble.text)
        self.trouble = trouble

    async def _lost(self) -> None:
        if not self.is_closed and self.trouble is None:
            self.trouble = Trouble("closed the connection", lasting=False)
            self._logger.warning("NATS closed the connection: trying again until it is back")

    async def _back(self) -> None:
        self._well()
        if self._then is not None:
            await self._then()

    def _well(self) -> None:
        self._logger.info("connected to NATS %s", self._server_info.get("version"))
        self.trouble = None
        self.attempted.set()

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """What a server says of itself, before it is told who we are."""
        if initial_connection:
            _check_version(str(info.get("version", "")))
            if self._demands_tls and not info.get("tls_required"):
                if not info.get("tls_available"):
                    raise WithoutTls
                info["tls_required"] = True  # by us
            if info.get("tls_verify") and not self._has_certificate:
                raise ClientCertificate
        await super()._process_info(info, initial_connection)

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            found: dict[str, str] | None = await super()._process_headers(headers)
        except (ValueError, IndexError):
            return None
        return found

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, Any] | None
    ) -> Msg:
        subject, reply = (part.decode(errors="replace").encode() for part in (subject, reply))
        message: Msg = super()._build_message(sid, subject, reply, data, headers)
        return message


def _check_version(version: str) -> None:
    """Raises TooOld."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdecimal())
    if numbers < LEAST_NATS_VERSION:
        raise TooOld(version)
