"""Query parameters that a call does not know are refused, as fields of a body are: one that is misspelt must not be
passed over in silence.
"""

from collections.abc import Set as AbstractSet

from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute, APIWebSocketRoute

from jelmore_api.errors import FieldError, Problem
from jelmore_contract.errors import ProblemType

#: By path and kind of route.
_known: dict[tuple[type, str, str], AbstractSet[str]] = {}


async def only_known_parameters(connection: HTTPConnection) -> None:
    """A dependency, as a coroutine (FastAPI runs others in a thread). Raises Problem (422)."""
    if not connection.query_params:
        return
    known = _parameters(connection.scope["route"])
    if unknown := sorted(name for name in connection.query_params if name not in known):
        detail = "there is no such parameter"
        errors = [FieldError(detail=detail, pointer=None, parameter=name[:100]) for name in unknown[:20]]
        there_are = ", ".join(sorted(known)) or "none"
        raise Problem(
            ProblemType.INVALID_REQUEST, f"{errors[0].parameter}: {detail}; this call has: {there_are}.", errors=errors
        )


def _parameters(route: APIRoute | APIWebSocketRoute) -> AbstractSet[str]:
    key = (type(route), route.path, route.name)
    if key not in _known:
        _known[key] = _names(route.dependant)
    return _known[key]


def _names(dependant: Dependant) -> set[str]:
    """Of the endpoint and of what it depends on."""
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*(_names(other) for other in dependant.dependencies))
