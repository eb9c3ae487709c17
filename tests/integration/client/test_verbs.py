"""Verbs that wait, export and look, against everything that `jelmore up` starts."""

import contextlib
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from jelmore_contract.version import VERSION
from tests.support.command import LIMIT_S, Command
from tests.support.processes import wait_for
from tests.support.up import Up

pytestmark = [pytest.mark.real_cli, pytest.mark.slow]

ASK = '@@[{"tool": "Bash", "input": {"command": "python3 -c 1"}}, {"text": "It ran."}]@@'
LARGE = '@@[{"text": "x", "chars": 700000}]@@'


def test_waiting_exporting_and_looking(up: Up, jelmore: Command) -> None:
    not_running = {one["name"]: one for one in jelmore.json("doctor")["checks"]}
    assert not_running["API"]["status"] == "note"
    up.start()

    # doctor and info, while it runs.
    report = jelmore.json("doctor")
    found = {one["name"]: one for one in report["checks"]}
    assert report["ok"] is True
    assert found["running"]["status"] == "ok"
    assert found["API"] == {"name": "API", "status": "ok", "detail": f"Jelmore {VERSION} at {up.url}", "remedy": ""}
    assert {"API: nats", "API: postgres", "API: redis", "API: mirror", "access"} <= found.keys()
    assert "nothing is to be mended" in jelmore.run("doctor")
    document = jelmore.json("info")
    assert document["version"] == {"client": VERSION, "api": VERSION}
    assert (document["home"], document["model"]) == (str(up.home), "demo")
    assert document["nats"] == up.endpoints()["nats"]["url"]

    # wait, and its exit codes.
    jelmore.run("create", ASK, "--name", "demo", "--label", "team=a")
    assert jelmore.run("wait", "demo", "--timeout", str(LIMIT_S)) == "waiting_input\n"
    assert "the time is over" in jelmore.run("wait", "demo", "--for", "idle", "--timeout", "0.5", code=124)
    waiting = jelmore.spawn("wait", "demo", "--for", "idle", "--for", "hibernated", "--json")
    jelmore.run("approve", "demo")
    out, _ = waiting.communicate(timeout=LIMIT_S)
    assert json.loads(out)["status"] == "idle"
    assert "no session has the name nobody" in jelmore.run("wait", "nobody", code=3)
    assert [one["name"] for one in jelmore.json("ls", "--label", "team=a", "--status", "idle")] == ["demo"]
    assert jelmore.json("ls", "--label", "team=b") == []

    # A log in a file, cut off and gone on with.
    jelmore.run("send", "demo", LARGE, "--wait")
    whole = jelmore.run("export", "demo")
    lines = whole.splitlines(keepends=True)
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    file = up.home.parent / "demo.jsonl"
    file.write_text("".join(lines[:3]) + lines[3][:20])
    told = jelmore.json("export", "demo", "-o", str(file))
    assert file.read_text() == whole
    assert told == {"file": str(file), "events": len(lines), "last_seq": events[-1]["seq"], "ended": False}
    assert "is the log" in jelmore.spawn("export", "demo", "-o", str(file), "--check").communicate(timeout=LIMIT_S)[1]
    file.write_text("".join([*lines[:2], *lines[3:]]))
    assert "not the log from line 3 on" in jelmore.run("export", "demo", "-o", str(file), "--check", code=1)

    # With blobs put back, what is exported holds what Claude Code printed.
    assert any(event.get("encoding") == "blob" for event in events)
    with_blobs = [json.loads(line) for line in jelmore.run("export", "demo", "--blobs").splitlines()]
    assert not any(event.get("encoding") == "blob" for event in with_blobs)
    session_id = events[0]["session_id"]
    spool = (up.home / "sessions" / session_id / "spool" / "run-1.jsonl").read_text().splitlines()
    output = [event["payload"] for event in with_blobs if event["event_type"] == "session.output"]
    assert output == [json.loads(line) for line in spool]

    # Another session's file is left alone; one that has ended is complete.
    jelmore.run("create", "--name", "other", "--wait")
    before = file.read_text()
    assert "no event of session" in jelmore.run("export", "other", "-o", str(file), code=2)
    assert file.read_text() == before
    jelmore.run("delete", "demo")
    assert jelmore.run("wait", "demo", "--for", "terminated", "--timeout", str(LIMIT_S)) == "terminated\n"
    assert "the session is terminated" in jelmore.run("wait", "demo", code=5)
    jelmore.run("export", "demo", "-o", str(file.with_name("again")))
    assert jelmore.json("export", "demo", "-o", str(file.with_name("again")))["ended"] is True

    # Ctrl-C, without a traceback.
    waiting = jelmore.spawn("wait", "other", "--for", "failed")
    wait_for(lambda: connections(waiting.pid) > 0)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=LIMIT_S)
    assert (waiting.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert up.stop()[0] == 0


def connections(pid: int) -> int:
    """Sockets that a process holds."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found += str(link.readlink()).startswith("socket:")
    return found


def test_doctor_on_what_is_broken(up: Up, jelmore: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (up.home.parent / ".env").write_text(f"JELMORE_PORT={taken.getsockname()[1]}\nJELMORE_TOKEN=0123456789abcdef\n")
        report = jelmore.json("doctor", code=1)
    assert report["ok"] is False
    assert [one["name"] for one in report["checks"] if one["status"] == "bad"] == ["port"]
    (up.home.parent / ".env").write_text(f"JELMORE_PORT={up.port}\nJELMORE_TOKEN=0123456789abcdef\n")
    up.start()
    # The token that the service was started with is not in this shell.
    report = jelmore.json("doctor", code=1)
    assert [(one["name"], one["remedy"]) for one in report["checks"] if one["status"] == "bad"] == [
        ("access", "set JELMORE_TOKEN to the token that the API was started with")
    ]
    os.kill(up.pid_of("valkey"), signal.SIGSTOP)
    try:
        away = {one["name"]: one for one in jelmore.json("doctor", code=1)["checks"]}
        assert away["API: redis"]["status"] == "bad"
    finally:
        os.kill(up.pid_of("valkey"), signal.SIGCONT)
    assert up.stop()[0] == 0
