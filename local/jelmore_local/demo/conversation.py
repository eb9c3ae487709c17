"""Where a conversation stands: the prompt in force, and how often the model has responded to it.

The CLI puts much into a conversation that is no prompt: reminders, notifications of background tasks, notes
about interruptions. A message sent while Claude works is folded in between tool calls. None of these may move
a script.
Seen with CLI 2.1.330; tests/unit/demo has what it sent.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .request import Block, Message, Request

SCRIPT_OPENS = "@@["

#: How texts begin that the CLI itself puts into user messages.
_CLI_TEXTS = (
    "<system-reminder>",
    "<task-notification>",
    "<local-command-",
    "<command-name>",
    "<command-message>",
    "<bash-",
    "[Request interrupted by user",
    "Continue from where you left off.",
    "This session is being continued from a previous conversation",
    "Stop hook feedback:",
)
_FOLDED = re.compile(
    r"The user sent a new message while you were working:\n(.*?)\n\nThis is how Claude Code",
    re.DOTALL,
)
#: What the CLI itself puts as the model's words after an interrupted call, when a conversation is resumed.
_NO_RESPONSE = "No response requested."
# Once Claude has changed it, the CLI adds where it was before.
_CWD = re.compile(r"Primary working directory: (.+?)(?: \(was .+\))?$", re.MULTILINE)
_PLAN_FILE = re.compile(r"(/\S+/plans/[^\s/]+\.md)")


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave back."""

    text: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """`prompt`: the one in force; `ordinal`: how many came before it; `responses`: the model's since then;
    `results`: of the tools called since; `cwd`, `plan_file`: as the CLI told them, empty where it did not."""

    prompt: str = ""
    ordinal: int = -1
    responses: int = 0
    results: tuple[Result, ...] = ()
    cwd: str = ""
    plan_file: str = ""


def read(request: Request) -> Conversation:
    """Fold the messages of a request."""
    state = Conversation()
    for message in request.messages:
        if message.role == "assistant":
            state = replace(state, responses=state.responses + _is_response(message))
        else:
            for block in message.blocks():
                state = _heard(state, block, message.role)
    return state


def _is_response(message: Message) -> bool:
    return [block.plain() for block in message.blocks()] != [_NO_RESPONSE]


def _heard(state: Conversation, block: Block, role: str) -> Conversation:
    if block.type == "tool_result":
        return replace(state, results=(*state.results, Result(block.plain(), block.is_error is True)))
    state = replace(
        state,
        cwd=_last(_CWD, block.text) or state.cwd,
        plan_file=_last(_PLAN_FILE, block.text) or state.plan_file,
    )
    for prompt in _prompts(block.text, role):
        state = replace(state, prompt=prompt, ordinal=state.ordinal + 1, responses=0, results=())
    return state


def _prompts(text: str, role: str) -> Iterator[str]:
    """The prompts in a text: one folded in counts only if it brings a script of its own."""
    if role == "system" or text.startswith(_CLI_TEXTS):
        yield from (folded for folded in _FOLDED.findall(text) if SCRIPT_OPENS in folded)
    elif prompt := text.strip():
        yield prompt


def _last(pattern: re.Pattern[str], text: str) -> str:
    found: list[str] = pattern.findall(text)
    return found[-1] if found else ""
