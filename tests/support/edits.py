"""The documentation's table of what a change of a session does, and how each row of it is seen with the real CLI."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from tests.support.scripts import bash, say, script

PAGE = Path(__file__).parents[2] / "docs/lifecycle.md"
AT_ONCE, AT_ONCE_IN_PODS, NEXT_RUN, NEXT_POD, UNTIL_CLONED, REFUSED = KINDS = (
    "at once",
    "in a cluster at once",
    "in the next run",
    "in the next pod",
    "until it is cloned",
    "refused",
)
_ROW = re.compile(r"^\| (?P<fields>[^|]+) \| (?P<acts>[^|]+) \|$", re.MULTILINE)


def rows() -> list[tuple[str, str]]:
    """Each field that the table names, and the words about it; a field twice if it stands there twice."""
    table = PAGE.read_text().partition("| field | acts |\n|---|---|\n")[2].partition("\n\n")[0] + "\n"
    return [(field, row["acts"]) for row in _ROW.finditer(table) for field in re.findall("`([^`]+)`", row["fields"])]


def fields(kind: str) -> list[str]:
    """Those whose changes act so."""
    return [field for field, acts in rows() if acts.startswith(kind)]


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field of a spec by its path; not one that can have one value only."""
    for name, info in model.model_fields.items():
        kinds = [info.annotation, *get_args(info.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from leaves(inner[0], f"{prefix}{name}.")
        elif get_origin(info.annotation) is not Literal:
            yield prefix + name


@dataclass(frozen=True)
class Turn:
    """One turn with `TURN` as its prompt. spool: what the CLI printed in this run."""

    request: dict[str, Any]  # the first one that the model got
    init: dict[str, Any]
    results: list[str]  # what the two commands gave
    result: dict[str, Any]
    spool: str


TURN = script(bash("printenv"), bash("""python3 -c 'print("it" + " ran")'"""), say("Done."))
#: What the sessions begin with: nothing runs that is not allowed, and nobody is asked.
SPEC: dict[str, Any] = {"query": TURN, "permissionMode": "dontAsk", "allowedTools": ["Bash(printenv)"]}
#: What lies in the workspace as `.claude/settings.json` before the change.
SETTINGS = json.dumps({"env": {"FROM_SETTINGS": "trusted"}})
_COMMITS = {"name": "Build Robot", "email": "robot@example.invalid", "attribution": False}


def _commits(turn: Turn) -> bool:
    told = {f"GIT_AUTHOR_NAME={_COMMITS['name']}", f"GIT_AUTHOR_EMAIL={_COMMITS['email']}"}
    # Claude Code's own words to the model; those of the turns before stay in the conversation.
    unnamed = "From here on, do not add attribution lines" in json.dumps(turn.request)
    return told <= set(turn.results[0].splitlines()) and unnamed


#: By field: a change of the spec, and whether a turn shows it.
IN_THE_NEXT_RUN: Mapping[str, tuple[dict[str, Any], Callable[[Turn], bool]]] = {
    "budget.turns": ({"budget": {"turns": 2}}, lambda turn: turn.result["subtype"] == "error_max_turns"),
    "allowed_tools": (
        {"allowedTools": ["Bash(printenv)", "Bash(python3:*)"]},
        lambda turn: "it ran" in turn.results[1],
    ),
    "disallowed_tools": (
        {"disallowedTools": ["Write"]},
        lambda turn: "Write" not in [tool["name"] for tool in turn.request["tools"]],
    ),
    "append_system_prompt": (
        {"appendSystemPrompt": "Answer like a sailor."},
        lambda turn: "like a sailor" in json.dumps(turn.request["system"]),
    ),
    "mcp_servers": (
        {"mcpServers": {"late": {"command": "false"}}},
        lambda turn: "late" in [server["name"] for server in turn.init["mcp_servers"]],
    ),
    "partial_messages": ({"partialMessages": True}, lambda turn: '"stream_event"' in turn.spool),
    "workspace.commits": ({"workspace": {"commits": _COMMITS}}, _commits),
    "workspace.trust_settings": (
        {"workspace": {"trustSettings": True}},
        lambda turn: "FROM_SETTINGS=trusted" in turn.results[0],
    ),
}


def all_changes() -> dict[str, Any]:
    """Of one edit that changes every field that acts in the next run."""
    edit: dict[str, Any] = {}
    for field in fields(NEXT_RUN):
        for name, value in IN_THE_NEXT_RUN[field][0].items():
            edit[name] = edit.get(name, {}) | value if isinstance(value, dict) else value
    return edit


def shown(turn: Turn) -> list[str]:
    """Fields whose change this turn shows."""
    return [field for field in fields(NEXT_RUN) if IN_THE_NEXT_RUN[field][1](turn)]


def lines_of_turn(lines: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The last turn's init, tool results and result, of the CLI's lines."""
    start = max(n for n, line in enumerate(lines) if line.get("subtype") == "init")
    turn = lines[start:]
    blocks = [block for line in turn if line["type"] == "user" for block in line["message"]["content"]]
    results = [str(block["content"]) for block in blocks if isinstance(block, dict) and block["type"] == "tool_result"]
    return turn[0], results, next(line for line in turn if line["type"] == "result")


#: What a session is made with, and by field a merge patch that it does not take, as REST has both.
MADE: dict[str, Any] = {"query": "Hello"}
REFUSALS: Mapping[str, dict[str, Any]] = {
    "query": {"query": "Another"},
    "session_id": {"session_id": "550e8400-e29b-41d4-a716-446655440000"},
    "workspace.path": {"workspace": {"path": "/srv/other"}},
    "workspace.storage": {"workspace": {"storage": {"size": "2Gi"}}},
    "workspace.git": {"workspace": {"git": {"url": "https://example.com/a.git"}}},
}
