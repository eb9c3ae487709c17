"""Keeping a process running: whatever ends it, it is started again where it was."""

import asyncio
import logging
from typing import Protocol

from jelmore_local.servers.child import EndedError
from jelmore_local.servers.errors import StartError

_log = logging.getLogger(__name__)
_RETRY_S = 1.0


class Kept(Protocol):
    """A process that was started."""

    name: str

    async def ended(self) -> int:
        """The exit code, once it has."""

    async def restart(self) -> None:
        """Raises StartError, EndedError, OSError."""


async def keep(kept: Kept) -> None:
    """For ever: until cancelled."""
    while True:
        code = await kept.ended()
        _log.warning("%s ended with code %d; starting it again", kept.name, code)
        try:
            await kept.restart()
        except (StartError, EndedError, OSError) as error:
            _log.error("%s cannot be started again: %s", kept.name, error)
            await asyncio.sleep(_RETRY_S)
