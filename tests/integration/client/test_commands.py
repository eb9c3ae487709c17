"""The command as a program, against everything that `jelmore up` starts, with the real CLI and the demo model."""

import json
import os
import signal

import pytest

from tests.support.command import LIMIT_S, Command
from tests.support.processes import wait_for
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

ASK = '@@[{"tool": "Bash", "input": {"command": "python3 -c 1"}}, {"text": "It ran."}]@@'


def test_a_session_from_the_command_line(up: Up, jelmore: Command) -> None:
    assert f"no Jelmore at {up.url}: start it with `make up`" in jelmore.run("ls", "--url", up.url, code=1)
    up.start()
    assert jelmore.json("ls") == []

    told = jelmore.run("create", "Help me create a Python FastAPI application", "--name", "demo", "--follow")
    assert "> Help me create a Python FastAPI application\n" in told
    assert "· created jelmore_demo/app.py" in told
    assert told.endswith("· idle\n")
    assert "✓ turn 1 done" in told

    [listed] = jelmore.json("ls", "--status", "idle")
    session_id = listed["id"]
    assert listed["name"] == "demo"
    assert jelmore.json("show", session_id[:6])["usage"]["turns"] == 1

    # An approval: the turn waits for it, and goes on.
    waiting = jelmore.spawn("send", "demo", ASK, "--wait", "--timeout", str(LIMIT_S))
    wait_for(lambda: jelmore.json("show", "demo")["status"] == "waiting_input", LIMIT_S)
    shown = jelmore.run("show", "demo")
    approval = jelmore.json("show", "demo")["approvals"][0]["approval_id"]
    assert f"jelmore approve demo {approval}" in shown
    jelmore.run("approve", "demo")
    out, err = waiting.communicate(timeout=LIMIT_S)
    assert (waiting.returncode, out) == (0, "It ran.\n")
    assert f"jelmore approve demo {approval}" in err
    assert "Claude asks nothing in demo" in jelmore.run("deny", "demo", code=3)

    # A key that was used before is the same input: its turn is not run again.
    receipt = jelmore.json("send", "demo", "Say hello", "--key", "k", "--wait")
    assert receipt["state"] == "completed"
    again = jelmore.json("send", "demo", "Say hello", "--key", "k")
    assert again == {"input_id": receipt["input_id"], "state": "completed"}
    assert jelmore.json("show", "demo")["usage"]["turns"] == 3

    log = [json.loads(line) for line in jelmore.run("logs", "demo", "--json").splitlines()]
    seqs = [event["seq"] for event in log]
    assert seqs == sorted(set(seqs))
    later = jelmore.run("logs", "demo", "--after", str(seqs[-3]), "--json").splitlines()
    assert [json.loads(line)["seq"] for line in later] == seqs[-2:]
    spool = (up.home / "sessions" / session_id / "spool" / "run-1.jsonl").read_text()
    assert jelmore.run("logs", "demo", "--raw") == spool

    following = jelmore.spawn("logs", "-f", "demo", "--after", str(seqs[-1]))
    jelmore.run("delete", "demo")
    out, err = following.communicate(timeout=LIMIT_S)
    assert (following.returncode, err) == (0, "")
    assert out.endswith("■ the session has ended: deleted\n")
    assert "has ended" in jelmore.run("send", session_id, "Hello?", code=1)
    assert jelmore.json("ls", "--status", "terminated")[0]["id"] == session_id
    assert up.stop()[0] == 0


def test_following_outlives_the_api_and_ends_by_ctrl_c(up: Up, jelmore: Command) -> None:
    up.start()
    jelmore.run("create", "--name", "demo", "--wait")
    following = jelmore.spawn("logs", "-f", "demo")
    assert following.stdout is not None
    assert following.stdout.readline() == "· session demo was created\n"
    killed = up.pid_of("api")
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: up.pid_of("api") != killed)
    wait_for(up.answers)
    jelmore.run("send", "demo", "Say hello", "--wait")
    lines = iter(following.stdout.readline, "")
    assert "> Say hello\n" in lines
    assert any(line.startswith("✓ turn 1 done") for line in lines)
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=LIMIT_S)
    assert (following.returncode, err) == (0, "the connection was lost: trying again …\n")
    assert up.stop()[0] == 0


def test_a_turn_that_fails_and_one_that_takes_too_long(up: Up, jelmore: Command) -> None:
    up.start()
    told = jelmore.run("create", '@@[{"error": 403}]@@', "--name", "fails", "--wait", code=5)
    assert "the turn failed: " in told
    assert "the time is over" in jelmore.run("create", ASK, "--name", "waits", "--wait", "--timeout", "5", code=124)
    # The session itself may take longer than that to come to its question.
    wait_for(lambda: jelmore.json("show", "waits")["status"] == "waiting_input", LIMIT_S)
    jelmore.run("interrupt", "waits")
    wait_for(lambda: jelmore.json("show", "waits")["status"] == "idle", LIMIT_S)
    assert "· withdrawn by claude" in jelmore.run("logs", "waits")
    assert up.stop()[0] == 0
