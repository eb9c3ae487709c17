"""What the demo model does without a script: it shows a session at work, and says that it is no Claude."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .conversation import Conversation
from .reply import Content, Json, Reply, Text, ToolUse, say

NOTICE = (
    "I am Jelmore's scripted demo model, not Claude: I repeat a fixed routine, so that you can see a session "
    "work without an account. For real answers set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or log in "
    "with `claude`, and start Jelmore again."
)
_HINTS = (
    'Try "write me a FastAPI application" (files), "ask me something" (a question), "use the network" '
    '(an approval), "make a plan" (a plan), or put a script into your prompt: '
    '@@[{"tool": "Bash", "input": {"command": "echo hi"}}, {"text": "done"}]@@'
)
_FASTAPI = '''"""A first FastAPI application, written by Jelmore's demo model. Run it: fastapi dev {name}"""

from fastapi import FastAPI

app = FastAPI(title="Hello from Jelmore")


@app.get("/")
def read_root() -> dict[str, str]:
    return {{"message": "Hello from Jelmore"}}
'''
_PROGRAM = '''"""A first program, written by Jelmore's demo model. Run it with: python {name}"""


def main() -> None:
    print("Hello from Jelmore")


if __name__ == "__main__":
    main()
'''
_PLAN = """# Plan of the demo model

1. Write a small file into the folder `jelmore_demo`.
2. Look at it with `ls`.
"""


@dataclass(frozen=True, slots=True)
class _Routine:
    """A routine is what is done in turn, one entry a response; then the last words, made from the outcome."""

    words: str
    acts: Callable[[Conversation], list[Content]]
    last_words: Callable[[Conversation], str]


def answer(conversation: Conversation) -> Reply:
    """The next response to a prompt without a script."""
    routine = next((routine for pattern, routine in _ROUTINES if pattern.search(conversation.prompt)), None)
    if routine is None:
        return say(f"{NOTICE}\n\n{_HINTS}")
    acts = routine.acts(conversation)
    if conversation.responses >= len(acts):
        return say(f"{routine.last_words(conversation)}\n\n{NOTICE}")
    act = acts[conversation.responses]
    return Reply((act,) if conversation.responses else (Text(routine.words), act))


def _write(conversation: Conversation) -> list[Content]:
    return [
        ToolUse("Write", {"file_path": _file(conversation), "content": _program(conversation)}),
        ToolUse("Bash", {"command": "ls -la jelmore_demo", "description": "Show what was written"}),
    ]


def _file(conversation: Conversation) -> str:
    """A file of its own for each prompt, in a folder of its own: nothing of the user's is overwritten."""
    stem = "app" if _is_fastapi(conversation) else "hello"
    number = f"_{conversation.ordinal + 1}" if conversation.ordinal > 0 else ""
    return f"{conversation.cwd or '.'}/jelmore_demo/{stem}{number}.py"


def _program(conversation: Conversation) -> str:
    name = _file(conversation).rsplit("/", 1)[1]
    return (_FASTAPI if _is_fastapi(conversation) else _PROGRAM).format(name=f"jelmore_demo/{name}")


def _is_fastapi(conversation: Conversation) -> bool:
    return "fastapi" in conversation.prompt.lower()


def _written(conversation: Conversation) -> str:
    if _failed(conversation):
        return f"That did not work: {_outcome(conversation)}"
    return f"I wrote {_file(conversation)} and looked at it with `ls`."


def _question(_: Conversation) -> list[Content]:
    options: list[Json] = [
        {"label": "Blue", "description": "As the sky"},
        {"label": "Green", "description": "As the grass"},
    ]
    question: dict[str, Json] = {
        "question": "Which colour do you like?",
        "header": "Colour",
        "options": options,
    }
    return [ToolUse("AskUserQuestion", {"questions": [{**question, "multiSelect": False}]})]


def _network(_: Conversation) -> list[Content]:
    command = "curl -sSI --max-time 5 https://example.com"
    return [ToolUse("Bash", {"command": command, "description": "Ask a web site for its headers"})]


def _permission(_: Conversation) -> list[Content]:
    command = "python3 -c \"print('this needed your approval')\""
    return [ToolUse("Bash", {"command": command, "description": "Run something that needs approval"})]


def _plan(conversation: Conversation) -> list[Content]:
    written = ToolUse("Write", {"file_path": conversation.plan_file, "content": _PLAN})
    return [ToolUse("EnterPlanMode"), written, ToolUse("ExitPlanMode")]


def _told(conversation: Conversation) -> str:
    return f"This came back: {_outcome(conversation)}"


def _failed(conversation: Conversation) -> bool:
    return any(result.is_error for result in conversation.results)


def _outcome(conversation: Conversation) -> str:
    """The last result that says something of weight: the first failure, else the last."""
    results = [result for result in conversation.results if result.is_error] or list(conversation.results[-1:])
    return results[0].text[:500] if results else "nothing."


def _words(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words.replace(' ', '|')})\b", re.IGNORECASE)


#: The first that a prompt has a word of.
_ROUTINES = [
    (_words("plan"), _Routine("I will make a plan and ask for your consent.", _plan, _told)),
    (_words("ask question"), _Routine("I have a question for you.", _question, _told)),
    (_words("network"), _Routine("I will use the network, if you allow it.", _network, _told)),
    (_words("permission approval"), _Routine("I will run a command, if you allow it.", _permission, _told)),
    (
        _words("create write build make implement add fix develop code program app application"),
        _Routine("I will write a small program and look at it.", _write, _written),
    ),
]
