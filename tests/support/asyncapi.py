"""Messages judged by the AsyncAPI document: each must be what its channel says, and hold nothing that it does not tell
of.
"""

import copy
import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from nats.aio.client import Client
from nats.aio.msg import Msg

from jelmore_contract.asyncapi import document
from tests.support.flush import flush

OFFICIAL_SCHEMA = Path(__file__).parents[1] / "data/asyncapi/3.0.0.json"
# Fields of a call's answer over REST stand there too.
_OPEN = ("ReplyFrame",)


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with no fields but those that it names: readers may meet new ones, our own traffic may not have
    any.
    """
    closed = copy.deepcopy(document)
    for name, schema in closed["components"]["schemas"].items():
        if "properties" in schema and name not in _OPEN:
            schema.setdefault("additionalProperties", False)
    return closed


class Judge:
    """By subject and body; `seen` counts the channels that messages came on."""

    def __init__(self) -> None:
        self._document = strict(document())
        self.seen: dict[str, int] = {}
        self.faults: list[str] = []
        self._channels = [
            (re.compile(_pattern(channel["address"])), name, list(channel["messages"]))
            for name, channel in self._document["channels"].items()
            if name != "stream"
        ]

    @property
    def channels(self) -> list[str]:
        """Of the bus."""
        return [name for _, name, _ in self._channels]

    def channel(self, subject: str) -> tuple[str, list[str]] | None:
        """Name of the channel and of its messages."""
        found = [(name, messages) for pattern, name, messages in self._channels if pattern.fullmatch(subject)]
        assert len(found) <= 1, f"{subject} is in {found}"
        return found[0] if found else None

    @functools.cache  # noqa: B019 - as long as the test
    def validator(self, message: str) -> Draft7Validator:
        payload = self._document["components"]["messages"][message]["payload"]
        return Draft7Validator({"components": self._document["components"], "allOf": [payload]})

    def fault(self, subject: str, data: bytes) -> str | None:
        """What is wrong with a message; None where it is as it should be."""
        found = self.channel(subject)
        if found is None:
            return f"{subject}: in no channel"
        name, (message,) = found
        self.seen[name] = self.seen.get(name, 0) + 1
        if message == "BlobChunk":
            return None if len(data) <= 512 * 1024 else f"{subject}: {len(data)} bytes"
        return self.fault_of(message, json.loads(data))

    def fault_of(self, message: str, value: object) -> str | None:
        errors = [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in _leaves(self.validator(message).iter_errors(value))
        ]
        return f"{message}: {errors}" if errors else None

    async def listen(self, client: Client) -> None:
        """Judges everything of Jelmore's on the bus from now on."""
        await client.subscribe("jelmore.>", cb=self._hear)
        await flush(client)

    async def _hear(self, message: Msg) -> None:
        if fault := self.fault(message.subject, message.data):
            self.faults.append(fault)


def _pattern(address: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "[^.]+", re.escape(address))


def _leaves(errors: Any) -> Any:
    """What is behind an error of alternatives."""
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


@pytest.fixture
def judge() -> Judge:
    return Judge()
