"""Side requests of the CLI: a title for the session, a summary on compaction, a small model's opinion.

They carry the conversation's texts, scripts included, but are no turn of it.
"""

import json
from collections.abc import Mapping

from .reply import Json, Reply, say
from .request import Request

_COMPACTION = "Your task is to create a detailed summary of"
_TITLE_WORDS = 6


def answer(request: Request) -> Reply | None:
    """A sensible short answer to a side request; none if the request is a turn of a conversation."""
    if request.output_config and request.output_config.format:
        return say(json.dumps(_instance(request.output_config.format.schema, _title(request))))
    if _COMPACTION in _last_text(request):
        return say(
            "<analysis>The demo model does not analyse.</analysis>\n"
            "<summary>The conversation so far was held with the scripted demo model.</summary>"
        )
    if not request.tools:
        return say("This is the scripted demo model.")
    return None


def _last_text(request: Request) -> str:
    texts = [block.text for message in request.messages for block in message.blocks() if block.type == "text"]
    return texts[-1] if texts else ""


def _title(request: Request) -> str:
    words = _last_text(request).removeprefix("<session>").split("</session>")[0].split("@@")[0].split()
    return " ".join(words[:_TITLE_WORDS]) or "Demo session"


def _instance(schema: Mapping[str, object], words: str) -> Json:
    """The plainest value that fits a JSON schema, with `words` for every text."""
    options = schema.get("enum")
    if isinstance(options, list) and options and isinstance(options[0], str):
        return options[0]
    properties = schema.get("properties")
    if isinstance(properties, dict):
        return {name: _instance(part, words) for name, part in properties.items() if isinstance(part, dict)}
    plain: dict[str, Json] = {"string": words, "boolean": False, "integer": 0, "number": 0, "array": []}
    return plain.get(str(schema.get("type")), {})
