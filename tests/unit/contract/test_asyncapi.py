"""The AsyncAPI document: whole, valid by its official schema, and the same as the code."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from jelmore_api.approvals.schemas import Answer
from jelmore_api.sessions.schemas import SendInput
from jelmore_contract.asyncapi import COMMAND_EXAMPLES, EVENT_EXAMPLES, document
from jelmore_contract.commands import CommandKind, decode_command
from jelmore_contract.events import EventType, decode_event
from jelmore_contract.subjects import (
    STREAM_SUBJECTS,
    SessionKey,
    blob_subject,
    command_subject,
    event_subject,
    live_subject,
    report_subject,
)
from scripts import events_page
from scripts.asyncapi import FILE, asyncapi_text
from tests.support.asyncapi import OFFICIAL_SCHEMA, Judge
from tests.support.frames import recordings
from tests.support.recorded_events import recorded_events

DOCUMENT = document()
KEY = SessionKey("team-a", "550e8400-e29b-41d4-a716-446655440000")
EXAMPLES = [
    (name, example["payload"])
    for name, message in DOCUMENT["components"]["messages"].items()
    for example in message.get("examples", ())
]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(child)


def test_the_file_is_what_the_contract_says() -> None:
    assert FILE.read_text() == asyncapi_text(), "run `make asyncapi`"
    assert yaml.safe_load(asyncapi_text()) == json.loads(json.dumps(DOCUMENT))


def test_the_page_tells_of_the_same() -> None:
    text = events_page.PAGE.read_text()
    assert text == events_page.page(), "run `make asyncapi`"
    assert all(f"### {kind}\n" in text for kind in (*EventType, *CommandKind))


def test_it_is_valid_by_the_official_schema() -> None:
    official = Draft7Validator(json.loads(OFFICIAL_SCHEMA.read_text()))
    assert [error.message for error in official.iter_errors(DOCUMENT)] == []
    assert list(official.iter_errors(DOCUMENT | {"operations": {"x": {"action": "subscribe"}}})) != []


def test_every_reference_leads_somewhere() -> None:
    for reference in {node["$ref"] for node in nodes(DOCUMENT) if isinstance(node.get("$ref"), str)}:
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_nothing_stands_beside_a_reference_since_draft_7_would_pass_over_it() -> None:
    assert [node for node in nodes(DOCUMENT["components"]["schemas"]) if "$ref" in node and len(node) > 1] == []


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


def test_every_event_and_command_is_in_it(judge: Judge) -> None:
    for kind in EventType:
        assert judge.channel(event_subject(KEY, kind)), kind
    for command in CommandKind:
        assert judge.channel(command_subject(KEY, command)), command
    assert set(EVENT_EXAMPLES) == set(EventType)
    assert set(COMMAND_EXAMPLES) == set(CommandKind)


def test_every_subject_of_the_stream_is_in_it(judge: Judge) -> None:
    stored = {
        channel["address"].split(".")[1]
        for name, channel in DOCUMENT["channels"].items()
        if name != "stream" and channel["x-jetstream"]["stream"]
    }
    assert {subject.split(".")[1] for subject in STREAM_SUBJECTS} == stored
    assert judge.channel(blob_subject(KEY, "1-0-5-0", 0)) == ("blob", ["BlobChunk"])
    assert judge.channel(report_subject(KEY)) == ("report", ["Report"])
    assert judge.channel(live_subject(KEY)) == ("live", ["SessionOutputDelta"])


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_what_it_is_an_example_of(name: str, example: Any, judge: Judge) -> None:
    assert judge.fault_of(name, example) is None


def test_every_message_of_ours_in_json_has_an_example() -> None:
    assert set(DOCUMENT["components"]["messages"]) - {name for name, _ in EXAMPLES} == {"Report", "BlobChunk"}


def test_examples_are_read_by_the_code() -> None:
    for kind in EventType:
        example = DOCUMENT["components"]["messages"][_camel(kind)]["examples"][0]["payload"]
        assert decode_event(json.dumps(example).encode()).event_type == kind
    for command in CommandKind:
        example = DOCUMENT["components"]["messages"][f"Command{command.capitalize()}"]["examples"][0]["payload"]
        decode_command(command, json.dumps(example).encode())


def _camel(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.replace(".", "_").split("_"))


@pytest.mark.parametrize("scenario", recordings())
def test_what_recorded_lines_lead_to_is_what_the_document_says(scenario: str, judge: Judge) -> None:
    for event in recorded_events(scenario):
        assert judge.fault_of("StreamEvent", event) is None
        bare = {name: value for name, value in event.items() if name != "seq"}
        assert judge.fault(event_subject(KEY, event["event_type"]), json.dumps(bare).encode()) is None


def test_what_is_no_event_is_refused(judge: Judge) -> None:
    good = {name: value for name, value in recorded_events("simple")[0].items() if name != "seq"}
    subject = event_subject(KEY, good["event_type"])
    assert judge.fault(subject, json.dumps(good).encode()) is None
    for bad in (
        good | {"more": 1},
        good | {"event_type": "session.input"},
        good | {"encoding": "blob"},
        {name: value for name, value in good.items() if name != "payload"},
    ):
        assert judge.fault(subject, json.dumps(bad).encode()), bad


def test_a_clients_frames_are_those_that_the_api_takes() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["InputFrame"]["properties"]) == {"type", "id", *SendInput.model_fields}
    assert set(schemas["AnswerFrame"]["properties"]) == {"type", "id", "approval_id", *Answer.model_fields}
