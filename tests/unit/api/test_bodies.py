"""What the description lets pass as a body, the API takes; what it does not, the API refuses: before it looks at the
place, the session and the other sessions.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import schemathesis
from pydantic import BaseModel, TypeAdapter, ValidationError
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

from jelmore_api.approvals.schemas import Answer
from jelmore_api.errors import Problem
from jelmore_api.main import create_app
from jelmore_api.sessions.changing import changed_by
from jelmore_api.sessions.labels import labels_change
from jelmore_api.sessions.schemas import CreateSession, SendInput
from jelmore_api.settings import Settings
from jelmore_contract.resource import SessionSpec
from tests.support.fuzzing import draw

API = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
ANY_OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])

type Take = Callable[[Any], object]


def as_model(model: type[BaseModel]) -> Take:
    return model.model_validate


def change(body: Any) -> None:
    """Of a session that has the defaults."""
    fields = ANY_OBJECT.validate_python(body)
    if "labels" in fields:
        labels_change({}, fields["labels"])
    changed_by(SessionSpec(), {name: value for name, value in fields.items() if name != "labels"})


SESSION = "/api/v1/session/{session_id}"
CALLS: Mapping[tuple[str, str], Take] = {
    ("POST", "/api/v1/session"): as_model(CreateSession),
    ("PATCH", SESSION): change,
    ("POST", f"{SESSION}/input"): as_model(SendInput),
    ("POST", f"{SESSION}/approvals/{{approval_id}}"): as_model(Answer),
}
#: What no schema can say, or depends on how the session was made.
BEYOND = (
    "more than its limit",
    "cannot be changed: make another session",
    "cannot be added or taken away",
    "workspace.git.url: Field required",
    "credentials.secret_name: Field required",
)


def bodies(call: tuple[str, str], mode: GenerationMode) -> list[Any]:
    method, path = call
    cases = draw(API[path][method].as_strategy(generation_mode=mode), 25, 7)
    whole = [case.body for case in cases if case.meta and case.meta.components[ParameterLocation.BODY].mode is mode]
    assert len(whole) > 4
    return whole


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_what_the_description_lets_pass_is_taken(call: tuple[str, str]) -> None:
    for body in bodies(call, GenerationMode.POSITIVE):
        try:
            CALLS[call](body)
        except (ValidationError, Problem) as error:
            said = error.detail if isinstance(error, Problem) else str(error)
            assert any(each in said for each in BEYOND), (body, said)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_what_it_does_not_let_pass_is_refused(call: tuple[str, str]) -> None:
    for body in bodies(call, GenerationMode.NEGATIVE):
        try:
            CALLS[call](body)
        except (ValidationError, Problem):
            continue
        pytest.fail(f"taken: {body!r}")
