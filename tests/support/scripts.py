"""Prompts that tell the demo model what to do: `script(bash("echo hi"), say("done"))`.

Each step is one response of the model; a list of steps makes one response of them all, such as two tools
called at once. What a step can hold stands in `jelmore_local.demo.script`.
"""

import json
from typing import Any

type Step = dict[str, Any] | list[dict[str, Any]]


def script(*steps: Step, words: str = "Please do this:") -> str:
    """The text of a prompt with a script."""
    return f"{words} @@{json.dumps(steps)}@@"


def say(text: str = "Done.", **options: int) -> dict[str, Any]:
    """Words. Options: `chars`, `deltas`, `delay_ms`."""
    return {"text": text, **options}


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    """A call of any tool."""
    return {"tool": name, "input": arguments}


def bash(command: str, *, background: bool = False) -> dict[str, Any]:
    """A shell command."""
    return tool("Bash", command=command, **({"run_in_background": True} if background else {}))


def write(path: str, content: str) -> dict[str, Any]:
    """A file written; `path` absolute, or from the session's directory."""
    return tool("Write", file_path=path, content=content)


def edit(path: str, old: str, new: str) -> dict[str, Any]:
    """A file changed, which the session has written or read before."""
    return tool("Edit", file_path=path, old_string=old, new_string=new)


def ask(question: str, *labels: str) -> dict[str, Any]:
    """A question to the user with two or more labels to choose from."""
    options = [{"label": label, "description": f"Take {label}"} for label in labels]
    asked = {"question": question, "header": "Choice", "options": options, "multiSelect": False}
    return tool("AskUserQuestion", questions=[asked])


def plan(text: str) -> list[Step]:
    """Plan mode entered, a plan written, and its approval asked for: `script(*plan("..."), ...)`."""
    return [tool("EnterPlanMode"), write("%plan_file%", text), tool("ExitPlanMode")]


def agent(prompt: str, description: str = "A helper") -> dict[str, Any]:
    """A subagent, which runs beside the turn; its prompt may hold a script of its own."""
    return tool("Agent", description=description, subagent_type="general-purpose", prompt=prompt)


def error(status: int, *, times: int | None = None, retry_after: float | None = None) -> dict[str, Any]:
    """An HTTP error, for ever or for the first `times` attempts."""
    return _failure(times, error=status, retry_after=retry_after)


def cut(after: int, text: str = "These words do not end", *, times: int | None = None) -> dict[str, Any]:
    """A stream whose connection is lost after so many pieces."""
    return _failure(times, cut=after, text=text)


def stall(after: int, text: str = "These words stop coming", *, times: int | None = None) -> dict[str, Any]:
    """A stream that falls silent after so many pieces."""
    return _failure(times, stall=after, text=text)


def _failure(times: int | None, **fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**fields, "times": times}.items() if value is not None}
