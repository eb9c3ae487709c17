"""Scripts: what the model shall do, written into the prompt as `@@[step, ...]@@`.

A step is one response of the model, or a list of steps that make up one response together:

    {"text": "words"}                             words; "chars": n makes n characters of them
    {"tool": "Bash", "input": {...}}              a tool call; %cwd% and %plan_file% in it are filled in
    ... "deltas": n, "delay_ms": d                streamed in n pieces, d milliseconds before each
    {"error": 529, "message": "", "retry_after": 1}  an HTTP status instead
    {"text": "words", "cut": 2}, {"stall": 2}     broken off, or silent for ever, after 2 pieces
    ... "times": n                                the failure is met by the first n attempts only

Which step is due follows from the conversation alone: as many as it holds responses since the prompt with the
script. A failure is no response, so it stands before the step that it keeps waiting.
"""

import json
from typing import Annotated

import msgspec

from .conversation import SCRIPT_OPENS, Conversation
from .reply import Answer, Content, Ending, Refusal, Reply, Text, ToolUse, say

type _Count = Annotated[int, msgspec.Meta(ge=0)]
_LOREM = "The quick brown fox jumps over the lazy dog. "


class Step(msgspec.Struct, forbid_unknown_fields=True):
    """One step as it stands in a script."""

    text: str | None = None
    chars: _Count | None = None
    tool: str | None = None
    input: dict[str, object] = {}
    deltas: Annotated[int, msgspec.Meta(ge=1)] | None = None
    delay_ms: Annotated[float, msgspec.Meta(ge=0)] = 0
    error: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    message: str = "as the script has it"
    retry_after: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cut: _Count | None = None
    stall: _Count | None = None
    times: _Count | None = None

    @property
    def fails(self) -> bool:
        """Whether this step stands for a failure and not for a response."""
        return (self.error, self.cut, self.stall) != (None, None, None)


type Script = list[list[Step]]


class ScriptError(ValueError):
    """A script that cannot be read; the words say where it is wrong."""


def parse(prompt: str) -> Script | None:
    """The script in a prompt, or none. Raises `ScriptError`."""
    start = prompt.find(SCRIPT_OPENS)
    if start < 0:
        return None
    try:
        raw, end = json.JSONDecoder().raw_decode(prompt, start + 2)
    except json.JSONDecodeError as error:
        raise ScriptError(f"The script is no JSON: {error}.") from error
    if not prompt.startswith("@@", end):
        raise ScriptError("The script is not closed: it ends with ]@@.")
    try:
        return [_steps(entry) for entry in raw]
    except msgspec.ValidationError as error:
        raise ScriptError(f"A step of the script is wrong: {error}.") from error


def answer(conversation: Conversation, attempt: int) -> Answer | None:
    """What the script in force says; none where there is none.

    `attempt`: how many requests came before this one with the conversation at the same place.
    """
    try:
        script = parse(conversation.prompt)
    except ScriptError as error:
        return say(str(error))
    if script is None:
        return None
    due = _due(script, conversation.responses, attempt)
    return _act(due, conversation) if due else say("The script has ended.")


def _steps(entry: object) -> list[Step]:
    return msgspec.convert(entry if isinstance(entry, list) else [entry], list[Step])


def _due(script: Script, responses: int, attempt: int) -> list[Step]:
    for steps in script:
        failure = next((step for step in steps if step.fails), None)
        if failure is None:
            if responses == 0:
                return steps
            responses -= 1
        elif responses == 0:
            if failure.times is None or attempt < failure.times:
                return steps
            attempt -= failure.times
    return []


def _act(steps: list[Step], conversation: Conversation) -> Answer:
    for step in steps:
        if step.error is not None:
            return Refusal(step.error, step.message, step.retry_after)
    first = steps[0]
    ending, after = Ending.COMPLETE, 0
    for step in steps:
        if step.cut is not None:
            ending, after = Ending.CUT, step.cut
        elif step.stall is not None:
            ending, after = Ending.STALL, step.stall
    contents = tuple(content for step in steps for content in _contents(step, conversation))
    return Reply(contents, first.deltas, first.delay_ms / 1000, ending, after)


def _contents(step: Step, conversation: Conversation) -> list[Content]:
    contents: list[Content] = []
    if step.tool is None or step.text is not None:
        contents.append(Text(_words(step)))
    if step.tool is not None:
        filled = json.loads(
            json.dumps(step.input)
            .replace("%cwd%", json.dumps(conversation.cwd)[1:-1])
            .replace("%plan_file%", json.dumps(conversation.plan_file)[1:-1])
        )
        contents.append(ToolUse(step.tool, filled))
    return contents


def _words(step: Step) -> str:
    text = step.text if step.text is not None else _LOREM
    if step.chars is None:
        return text
    return (text * (step.chars // len(text) + 1))[: step.chars]
