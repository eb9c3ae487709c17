"""Each row of the table of edits (docs/lifecycle.md) on one machine, with the real CLI; what only pods have is in
tests/e2e/test_edits.py. A row without a case here fails by its name.
"""

import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jelmore_contract.errors import ErrorReason
from jelmore_contract.states import SessionState
from tests.support import edits
from tests.support.api import RunningApi
from tests.support.git_server import TOKEN, USER, GitServer, git
from tests.support.scripts import bash, say, script
from tests.support.seen_session import MakeSeen, Seen
from tests.support.supervised import Supervised, eventually, supervising

type Check = Callable[[Seen], Awaitable[None]]

HELLO = script(say("Hello."))
LONG = script(bash("for i in $(seq 600); do sleep 0.1; done"), say("Slept."))
ASKS = script(bash("""python3 -c 'print(1)'"""), say())
#: By field: what the session begins with, and what a change of it does at once.
AT_ONCE: dict[str, tuple[dict[str, Any], Check]] = {}


def at_once(field: str, **spec: Any) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        AT_ONCE[field] = (spec, check)
        return check

    return keep


@pytest.mark.real_cli
@pytest.mark.parametrize("field", edits.fields(edits.AT_ONCE))
async def test_what_acts_at_once(make_seen: MakeSeen, field: str) -> None:
    spec, check = AT_ONCE[field]
    async with make_seen(**spec) as seen:
        await check(seen)


@at_once("model", query=HELLO)
async def _model(seen: Seen) -> None:
    await seen.turn()
    await seen.change(model="claude-haiku-5-5")
    assert (await seen.input(HELLO, 2)).run == 1
    assert [asked["model"] == "claude-haiku-5-5" for asked in seen.requests()] == [False, True]


@at_once("permission_mode", query=HELLO)
async def _permission_mode(seen: Seen) -> None:
    await seen.turn()
    await seen.change(permissionMode="plan")
    assert (await seen.input(HELLO, 2)).run == 1
    begun = [line for line in await seen.said("system") if line["subtype"] == "init"]
    assert [line["permissionMode"] for line in begun] == ["acceptEdits", "plan"]


@at_once("approvals.timeout", query=ASKS)
async def _approvals_timeout(seen: Seen) -> None:
    assert (await seen.turn()).state is SessionState.WAITING_INPUT
    await seen.change(approvals={"timeout": "1s"})
    await seen.supervised.until_turn(seen.key, 1)
    [resolved] = await seen.payloads("approval_resolved")
    assert resolved["decision"] == "deny"


@at_once("lifecycle.turn_timeout", query=LONG, allowedTools=["Bash"])
async def _turn_timeout(seen: Seen) -> None:
    await seen.supervised.until_state(seen.key, SessionState.ACTIVE)
    await seen.change(lifecycle={"turnTimeout": "1s"})
    await seen.supervised.until_state(seen.key, SessionState.IDLE)
    assert ErrorReason.TURN_TIMEOUT in [error["reason"] for error in await seen.payloads("error")]


@at_once("lifecycle.on_interrupted", query=LONG, allowedTools=["Bash"])
async def _on_interrupted(seen: Seen) -> None:
    await seen.supervised.until_state(seen.key, SessionState.ACTIVE)
    await eventually(seen.requests)
    await seen.change(lifecycle={"onInterrupted": "wait"})
    cli = seen.supervised.cli(seen.key)
    assert cli is not None
    os.kill(cli, signal.SIGKILL)
    await seen.supervised.until_state(seen.key, SessionState.IDLE, run=2)
    assert [error["reason"] for error in await seen.payloads("error")] == [ErrorReason.INTERRUPTED]
    assert len(seen.requests()) == 1


@at_once("lifecycle.suspend", query=HELLO)
async def _suspend(seen: Seen) -> None:
    await seen.turn()
    await seen.next_run(2)


@at_once("lifecycle.hibernate_after", query=HELLO)
async def _hibernate_after(seen: Seen) -> None:
    await seen.turn()
    await seen.supervised.change(seen.key, {"lifecycle": {"hibernateAfter": "1s"}})
    await seen.supervised.until_state(seen.key, SessionState.HIBERNATED)


@at_once("lifecycle.max_lifetime", query=LONG, allowedTools=["Bash"])
async def _max_lifetime(seen: Seen) -> None:
    await seen.supervised.until_state(seen.key, SessionState.ACTIVE)
    await seen.supervised.change(seen.key, {"lifecycle": {"maxLifetime": "1s"}})
    await seen.supervised.until_state(seen.key, SessionState.TERMINATED)


@at_once("lifecycle.ttl_after_finished", workspace={"path": "/nowhere"})
async def _ttl_after_finished(seen: Seen) -> None:
    await seen.supervised.until_state(seen.key, SessionState.FAILED)
    await seen.supervised.change(seen.key, {"lifecycle": {"ttlAfterFinished": "1s"}})
    await seen.supervised.until_gone(seen.key)


@at_once("budget.usd", query=HELLO, budget={"usd": 0.01})
async def _budget(seen: Seen) -> None:
    await seen.supervised.until(seen.key, lambda status: status.blocked is not None)
    await seen.supervised.input(seen.key, HELLO)
    await seen.change(budget={"usd": 5})
    status = await seen.supervised.until(seen.key, lambda s: s.usage.turns == 2 and s.state is SessionState.IDLE)
    assert (status.run, status.blocked) == (2, None)


@at_once("labels", query=HELLO)
async def _labels(seen: Seen) -> None:
    await seen.turn()
    await seen.supervised.label(seen.key, team="a")
    [told] = await seen.supervised.descriptions(seen.key, least=1)
    assert told["labels"] == {"team": "a"}


@at_once("workspace.retain", query=HELLO)
async def _retain(seen: Seen) -> None:
    await seen.turn()
    await seen.supervised.change(seen.key, {"workspace": {"retain": True}})
    await seen.supervised.delete(seen.key)
    await seen.supervised.until_gone(seen.key)
    assert (seen.supervised.folder(seen.key) / "workspace").is_dir()


@pytest.mark.real_cli
async def test_bypassing_permissions_is_refused_and_told_and_is_in_the_next_run(make_seen: MakeSeen) -> None:
    # Without it, the CLI refuses to bypass permissions as root.
    async with make_seen({"IS_SANDBOX": "1"}, query=HELLO) as seen:
        await seen.turn()
        await seen.change(permissionMode="bypassPermissions")

        async def told() -> bool:
            return bool(await seen.payloads("error"))

        await seen.supervised.until_true(told)
        assert "bypassPermissions" in json.dumps(await seen.payloads("error"))
        await seen.input(HELLO, 2)
        await seen.next_run(2)
        await seen.input(HELLO, 3)
        begun = [line for line in await seen.said("system") if line["subtype"] == "init"]
        assert [line["permissionMode"] for line in begun] == ["acceptEdits", "acceptEdits", "bypassPermissions"]


def _prompt(request: dict[str, Any]) -> str:
    """The system prompt, without the line about the request itself."""
    return str(max((block["text"] for block in request["system"]), key=len))


@pytest.mark.real_cli
async def test_what_acts_in_the_next_run(make_seen: MakeSeen) -> None:
    """All of it by one edit: nothing shows before the next run, and then everything."""
    async with make_seen(**edits.SPEC) as seen:
        folder = seen.supervised.folder(seen.key)

        async def last_turn(run: int) -> edits.Turn:
            events = await seen.supervised.events(seen.key)
            lines = [payload for kind, payload in events if kind == "session.output"]
            spool = (folder / f"spool/run-{run}.jsonl").read_text()
            return edits.Turn(seen.requests()[asked], *edits.lines_of_turn(lines), spool)

        asked = 0
        await seen.turn()
        assert edits.shown(await last_turn(1)) == []
        (folder / "workspace/.claude").mkdir()
        (folder / "workspace/.claude/settings.json").write_text(edits.SETTINGS)
        agent = seen.supervised.pid(seen.key, "agent")
        await seen.supervised.change(seen.key, edits.all_changes())
        await eventually(lambda: seen.supervised.pid(seen.key, "agent") != agent)
        asked = len(seen.requests())
        assert (await seen.input(edits.TURN, 2)).run == 1
        assert edits.shown(await last_turn(1)) == []
        # The same from turn to turn, so that the model's cache serves.
        assert _prompt(seen.requests()[0]) == _prompt(seen.requests()[asked])
        await seen.next_run(2)
        asked = len(seen.requests())
        await seen.input(edits.TURN, 3)
        assert edits.shown(await last_turn(2)) == edits.fields(edits.NEXT_RUN)


#: By field of `workspace.git`: what cannot be cloned, and what then can. URL is the server's.
UNTIL_CLONED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "workspace.git.url": ({"url": "URL/public/none.git"}, {"url": "URL/public/a.git"}),
    "workspace.git.ref": ({"url": "URL/public/a.git", "ref": "none"}, {"url": "URL/public/a.git", "ref": "main"}),
    "workspace.git.depth": ({"url": "URL/public/none.git"}, {"url": "URL/public/a.git", "depth": 1}),
    "workspace.git.secret_name": (
        {"url": "URL/private/a.git", "secretName": "none"},
        {"url": "URL/private/a.git", "secretName": "work"},
    ),
}


@pytest.mark.parametrize("field", edits.fields(edits.UNTIL_CLONED))
async def test_what_acts_until_it_is_cloned(supervised: Supervised, git_server: GitServer, field: str) -> None:
    for name in ("public/a.git", "private/a.git"):
        git_server.make(name)
    secret = supervised.settings.home / "secrets/work"
    secret.mkdir(parents=True)
    (secret / "username").write_text(USER)
    (secret / "password").write_text(TOKEN)
    before, after = (json.loads(json.dumps(each).replace("URL", git_server.url)) for each in UNTIL_CLONED[field])
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace={"git": before})
        await supervised.until_state(key, SessionState.FAILED)
        await supervised.change(key, {"workspace": {"git": after}})
        await supervised.until_turn(key, 1)
        folder = supervised.folder(key) / "workspace"
        assert (git(folder, "rev-list", "--count", "HEAD") == "1") is (field == "workspace.git.depth")
        # Never after that: nothing is looked at again.
        asked = git_server.requests
        await supervised.change(key, {"workspace": {"git": {"url": f"{git_server.url}/public/none.git"}}})
        await supervised.suspend(key, True)
        await supervised.until_state(key, SessionState.HIBERNATED)
        await supervised.suspend(key, False)
        await supervised.until_state(key, SessionState.IDLE, run=2)
        assert git_server.requests == asked


@pytest.mark.parametrize("field", edits.fields(edits.REFUSED))
async def test_what_is_refused(api: RunningApi, field: str) -> None:
    session = await api.create(**edits.MADE)
    path = f"/api/v1/session/{session}"
    before = (await api.http.get(path)).json()
    answer = await api.http.patch(path, json=edits.REFUSALS[field])
    assert answer.status_code == 422, answer.text
    assert f"#/{field.replace('.', '/')}" in [error["pointer"] for error in answer.json()["errors"]]
    assert (await api.http.get(path)).json() == before
