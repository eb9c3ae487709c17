"""A request to create that comes again with the same key, when of its session only the log is left. Pure."""

import json
from typing import Any

from pydantic import ValidationError

from jelmore_api.resources.store import NewSession
from jelmore_contract.resource import SessionSpec, told_spec


def repeats(asked: NewSession, created: str) -> bool:
    """Whether the session that `session.created` tells of (its payload) is the one that is asked for.

    A spec that today's fields cannot say is another one.
    """
    made: dict[str, Any] = json.loads(created)
    try:
        spec = SessionSpec.model_validate(made.get("spec"))
    except ValidationError:
        return False
    return (
        asked.name in (None, made.get("name"))
        and told_spec(spec) == told_spec(asked.spec)
        and made.get("labels", {}) == asked.labels
    )
