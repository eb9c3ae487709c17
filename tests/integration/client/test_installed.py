"""The client as its users have it: the wheel in a fresh environment, their programs checked and run there."""

import json
import re
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.installed import ROOT, Installed
from tests.support.up import Up

BASE = {"httpx", "pydantic", "websockets"}
PROGRAM = '''
import asyncio

from jelmore import Answer, Approval, AsyncJelmore, Jelmore, TurnResult, allow, deny
from jelmore.events import ApprovalRequested, Event, StateChanged

ASKS = """@@[{"tool": "Bash", "input": {"command": "python3 -c 1"}}, {"text": "It is over."}]@@"""


def decide(approval: Approval) -> Answer:
    return allow() if approval.tool_name == "Bash" else deny("Only commands, please.")


def blocking() -> list[str]:
    with Jelmore() as jelmore:
        session = jelmore.create("Hello", name="blocking", labels={"team": "a"})
        first: TurnResult = session.result(timeout=60)
        second = session.ask(ASKS, on_approval=decide, timeout=60)
        states = [event.payload["to"] for event in session.stream(follow=False) if isinstance(event, StateChanged)]
        return [str(first.text is not None), second.text or "", *map(str, states)]


async def decide_later(approval: Approval) -> Answer | None:
    await asyncio.sleep(0)
    return decide(approval)


async def asynchronous() -> list[str]:
    seen: list[Event] = []

    async def see(event: Event) -> None:
        seen.append(event)

    async with AsyncJelmore() as jelmore:
        session = await jelmore.create(ASKS)
        result = await session.result(on_approval=decide_later, on_event=see, timeout=60)
        asked: list[str] = []
        async for event in session.stream(after=0, follow=False):
            if isinstance(event, ApprovalRequested):
                asked.append(event.payload["kind"])
    return [result.text or "", *asked, str(len(seen) > 0)]


if __name__ == "__main__":
    print(blocking())
    print(asyncio.run(asynchronous()))
'''
WRONG = """
from jelmore import Jelmore

with Jelmore() as jelmore:
    number: int = jelmore.create("Hello").ask("More").text
    jelmore.create(query=3)
"""


def brought(found: Mapping[str, Distribution], names: set[str]) -> set[str]:
    """The names, and all that these need of what is there."""
    if not names:
        return set()
    needed: set[str] = {
        canonicalize_name(requirement.name)
        for name in names
        for requirement in map(Requirement, found[name].requires or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    return names | brought({name: one for name, one in found.items() if name not in names}, needed - names)


@pytest.mark.real_cli
@pytest.mark.slow
def test_the_base_install(installed: Installed, up: Up, tmp_path: Path) -> None:
    installed.install()
    [site] = installed.folder.glob("lib/python*/site-packages")
    found: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions(path=[str(site)])}
    assert found.keys() == {"jelmore"} | brought(found, BASE)

    everything = "import jelmore; print([name for name in dir(jelmore) if getattr(jelmore, name) is None])"
    assert installed.run("-c", everything).stdout == "[]\n"

    # Programs of users: those of the documentation, one that uses more of it, and one with mistakes.
    page = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.DOTALL)
    programs = {f"program_{number}.py": text for number, text in enumerate((PROGRAM, *page))} | {"wrong.py": WRONG}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
    checked = installed.check_types(tmp_path, *programs)
    wrong = [line.split(":")[:2] for line in checked.splitlines() if ": error:" in line]
    assert wrong == [["wrong.py", "5"], ["wrong.py", "6"]], checked

    up.start()
    done = installed.run(str(tmp_path / "program_0.py"), JELMORE_URL=up.url)
    assert done.stderr == ""
    blocking, asynchronous = (line.replace("'", '"') for line in done.stdout.splitlines())
    assert json.loads(blocking)[:2] == ["True", "It is over."]
    assert json.loads(asynchronous) == ["It is over.", "approval", "True"]

    # The command is there, and says what it lacks.
    told = installed.command("ls")
    assert (told.returncode, told.stdout) == (1, "")
    assert re.fullmatch(
        r"jelmore: the command needs \w+, which is not installed: pip install 'jelmore\[cli\]'\n", told.stderr
    )
    installed.install("[cli]")
    listed = installed.command("ls", "--json", JELMORE_URL=up.url)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "blocking" in listed.stdout
    told = installed.command("up")
    assert told.returncode == 1
    assert "pip install 'jelmore[local]'" in told.stderr
    assert "Traceback" not in told.stderr
    assert up.stop()[0] == 0
