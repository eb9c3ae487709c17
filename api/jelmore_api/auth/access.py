"""What the caller of one request may do with sessions."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Protocol

from fastapi import Depends
from fastapi.requests import HTTPConnection

from jelmore_api.auth.rules import Verb
from jelmore_contract.resource import SessionSpec


class Access(Protocol):
    """Every method raises Problem."""

    async def check_session(self, session_id: str, verb: Verb) -> None:
        """Raises Problem unless the caller may; as for one that is not there, where they may not even look at it."""
        ...

    async def check_create(self, namespace: str, spec: SessionSpec) -> None: ...

    async def check_secrets(self, namespace: str, spec: SessionSpec) -> None:
        """Whether the caller may read what the spec names."""
        ...

    async def listable(self, namespace: str | None) -> Collection[str] | None:
        """The namespaces whose sessions the caller may see, of those that were asked for; None: all there are."""
        ...


class Everything:
    """One machine: whoever gets this far is its owner."""

    async def check_session(self, session_id: str, verb: Verb) -> None:
        pass

    async def check_create(self, namespace: str, spec: SessionSpec) -> None:
        pass

    async def check_secrets(self, namespace: str, spec: SessionSpec) -> None:
        pass

    async def listable(self, namespace: str | None) -> Collection[str] | None:
        return None if namespace is None else (namespace,)


#: Lets a caller in who brings these Authorization headers. Raises Problem: 401, or 503.
type Admission = Callable[[list[str]], Awaitable[Access]]


async def access(connection: HTTPConnection) -> Access:
    """A dependency, as a coroutine (FastAPI runs others in a thread): what the guard has found that let it in."""
    found: Access = connection.state.access
    return found


WithAccess = Annotated[Access, Depends(access)]
