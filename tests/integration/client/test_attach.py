"""`jelmore attach`: a conversation, line by line."""

import pytest

from tests.support.command import Command
from tests.support.scripts import ask, bash, say, script
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

ASKS = "python3 -c 1"


def test_prompts_and_answers_are_typed(up: Up, jelmore: Command) -> None:
    up.start()
    jelmore.run("create", "--name", "demo")
    lines = [
        script(bash(ASKS), say("It ran.")),
        "y",
        "",
        script(bash(ASKS), say("Well then.")),
        "no",
        script(ask("Which colour?", "Red", "Blue"), say("Chosen.")),
        "Blue",
        script({"error": 403}),
    ]
    out, err = jelmore.type_into("\n".join(lines) + "\n", "attach", "demo")
    assert "attached to demo" in err
    assert "the turn failed" in err
    assert "the session goes on: jelmore attach demo" in err
    # In the prompt, and from Claude.
    assert [out.count(words) for words in ("It ran.", "Well then.", "Chosen.")] == [2, 2, 2]
    log = jelmore.run("logs", "demo", "--json")
    assert [log.count(f'"decision":"{decision}"') for decision in ("allow", "deny")] == [2, 1]
    assert "no session has the name nobody" in jelmore.run("attach", "nobody", code=3)
    assert up.stop()[0] == 0
