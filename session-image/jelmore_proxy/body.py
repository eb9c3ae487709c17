"""A request's body on its way: counted, and known again when the CLI says the same once more."""

import hashlib
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import StreamReader

_REMEMBERED = 32


class Failures:
    """Digests of the last requests that failed. A digest says nothing of what it was made from."""

    def __init__(self) -> None:
        self._digests: deque[bytes] = deque(maxlen=_REMEMBERED)

    def add(self, digest: bytes) -> None:
        self._digests.append(digest)

    def taken(self, digest: bytes) -> bool:
        """Whether such a request failed before; each failure counts for one other try."""
        if digest not in self._digests:
            return False
        self._digests.remove(digest)
        return True


class Body:
    """`size` and `digest`: of what has passed so far."""

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._hash = hashlib.blake2b(digest_size=16)
        self.size = 0

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    async def pieces(self) -> AsyncIterator[bytes]:
        async for piece in self._content.iter_any():
            self._hash.update(piece)
            self.size += len(piece)
            yield piece
