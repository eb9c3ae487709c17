"""Arguments, output and exit codes of the commands, with an API that says what the test wants."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from jelmore import Jelmore
from jelmore.command import runtime
from jelmore.command.app import app
from jelmore_contract.version import VERSION

ID, OTHER = "550e8400-e29b-41d4-a716-446655440000", "550e9999-e29b-41d4-a716-446655440000"
PATH = f"/api/v1/session/{ID}"


def session(session_id: str = ID, name: str = "demo", status: str = "idle", **more: Any) -> dict[str, Any]:
    return {
        "id": session_id,
        "status": status,
        "current_directory": "/home/user/project",
        "created_at": "2025-08-06T12:00:00.000Z",
        "last_activity": "2025-08-06T12:00:00.000Z",
        "output_buffer_size": 3,
        "name": name,
        "namespace": "default",
        "claude_session_id": "c-1",
        "spec": {"model": "opus"},
        **more,
    }


def approval(approval_id: str = "r-1", kind: str = "approval", **tool_input: Any) -> dict[str, Any]:
    return {"approval_id": approval_id, "kind": kind, "tool_name": "Bash", "input": tool_input}


@dataclass
class Api:
    """Answers by method and path; a list is given item by item."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}")
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        if answer is None:
            return problem(404, "There is no session like that.")
        return httpx.Response(200, json=answer)

    def body(self) -> Any:
        return json.loads(self.requests[-1].content)


def problem(status: int, detail: str) -> httpx.Response:
    return httpx.Response(status, json={"type": "https://jelmore.dev/problems/x", "status": status, "detail": detail})


ACCEPTED = httpx.Response(202)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    answers = Api({f"GET {PATH}": session(), "GET /api/v1/sessions": {"items": [session()], "next_cursor": None}})

    def open_client(_: str | None) -> Jelmore:
        transport = httpx.MockTransport(answers)
        return Jelmore("http://jelmore.test", "a-token-of-sixteen", retries=0, transport=transport)

    monkeypatch.setattr(runtime, "open_client", open_client)
    yield answers
    for request in answers.requests:
        assert request.headers["Authorization"] == "Bearer a-token-of-sixteen"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def test_ls_shows_a_table(api: Api) -> None:
    waiting = session(OTHER, "other", "waiting_input", waiting_for={"kind": "question"}, current_directory=None)
    api.answers["GET /api/v1/sessions"] = {"items": [session(), waiting], "next_cursor": None}
    done = run("ls")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["ID", "NAME", "STATUS", "WAITING", "FOR", "DIRECTORY", "AGE"]
    assert lines[1][:4] == ["550e8400", "demo", "idle", "/home/user/project"]
    assert lines[2][:4] == ["550e9999", "other", "waiting_input", "question"]
    assert done.exit_code == 0


def test_ls_reads_every_page_and_keeps_what_it_does_not_know(api: Api) -> None:
    pages = [{"items": [session(new_field=1)], "next_cursor": "n"}, {"items": [session(OTHER)], "next_cursor": None}]
    api.answers["GET /api/v1/sessions"] = pages
    done = run("ls", "--status", "idle", "--json")
    first, second = json.loads(done.stdout)
    assert first.items() >= session(new_field=1).items()
    assert second["id"] == OTHER
    assert [request.url.params.get("cursor") for request in api.requests] == [None, "n"]
    assert api.requests[0].url.params["status"] == "idle"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), 'no sessions yet: jelmore create "…"\n'),
        (("--status", "failed"), "no session is like that: jelmore ls lists all\n"),
    ],
)
def test_nothing_to_list(api: Api, arguments: tuple[str, ...], told: str) -> None:
    api.answers["GET /api/v1/sessions"] = {"items": [], "next_cursor": None}
    done = run("ls", *arguments)
    assert (done.stdout, done.stderr, done.exit_code) == ("", told, 0)
    assert run("ls", "--json", *arguments).stdout == "[]\n"


def test_show(api: Api) -> None:
    waits = session(
        status="waiting_input", waiting_for={"kind": "approval"}, git={"branch": "main", "commit": "0" * 40}
    )
    api.answers |= {f"GET {PATH}": waits, f"GET {PATH}/approvals": {"items": [approval(command="rm x")]}}
    shown = run("show", ID)
    assert shown.exit_code == 0
    assert "status         waiting_input\n" in shown.stdout
    assert "git            main 0000000\n" in shown.stdout
    assert "jelmore approve demo r-1" in shown.stdout
    assert "message" not in shown.stdout
    document = json.loads(run("show", ID, "--json").stdout)
    assert document["claude_session_id"] == "c-1"
    assert document["approvals"][0]["input"] == {"command": "rm x"}


def test_create_sends_what_was_given_and_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    api.answers["POST /api/v1/session"] = httpx.Response(201, json=session())
    created = run("create", "Help me")
    assert (created.stdout, created.stderr) == (f"demo {ID}\n", "watch it: jelmore logs -f demo\n")
    assert api.body() == {"query": "Help me"}
    monkeypatch.chdir(tmp_path)
    options = "--name demo --model opus --permission-mode plan --workspace x --allow Read --allow Bash(git:*)"
    document = json.loads(run("create", *options.split(), "--json", "-", stdin="From\nstdin").stdout)
    assert document["id"] == ID
    assert api.body() == {
        "query": "From\nstdin",
        "name": "demo",
        "model": "opus",
        "permission_mode": "plan",
        "workspace": {"path": str(tmp_path / "x")},
        "allowed_tools": ["Read", "Bash(git:*)"],
    }
    assert 'jelmore send demo "…"' in run("create").stderr
    assert api.body() == {}


def test_send(api: Api) -> None:
    api.answers[f"POST {PATH}/input"] = httpx.Response(202, json={"input_id": "i-1", "state": "queued"})
    sent = run("send", "550e8", "Now add tests", "--key", "k")
    assert (sent.exit_code, sent.stdout) == (0, "")
    assert "jelmore logs -f demo" in sent.stderr
    assert api.body() == {"text": "Now add tests", "idempotency_key": "k"}
    assert json.loads(run("send", "demo", "-", "--json", stdin="x").stdout) == {"input_id": "i-1", "state": "queued"}
    assert api.body().keys() == {"text", "idempotency_key"}  # one of its own, for what is sent again


QUESTION = {"question": "Which?", "header": "Choice", "options": [{"label": "Blue"}]}


@pytest.mark.parametrize(
    ("arguments", "asked", "answer"),
    [
        (("approve",), approval(), {"decision": "allow"}),
        (("deny", "--message", "Not now"), approval(), {"decision": "deny", "message": "Not now"}),
        (("approve",), approval(kind="plan"), {"decision": "allow"}),
        (("deny",), approval(kind="question", questions=[QUESTION]), {"decision": "deny"}),
        (
            ("approve", "--answer", "Which?=Blue"),
            approval(kind="question", questions=[QUESTION]),
            {"decision": "allow", "answers": {"Which?": "Blue"}},
        ),
    ],
)
def test_answers(api: Api, arguments: tuple[str, ...], asked: dict[str, Any], answer: dict[str, Any]) -> None:
    api.answers |= {f"GET {PATH}/approvals": {"items": [asked]}, f"POST {PATH}/approvals/r-1": ACCEPTED}
    command, *options = arguments
    assert run(command, "demo", *options).exit_code == 0
    assert api.body() == answer
    document = json.loads(run(command, "demo", "r", *options, "--json").stdout)
    assert document == {"session_id": ID, "approval_id": "r-1", **answer}


@pytest.mark.parametrize(
    ("arguments", "asked", "code", "told"),
    [
        (("approve", "demo"), [], 3, "Claude asks nothing in demo"),
        (("approve", "demo"), [approval("r-1"), approval("r-2")], 2, "\n  r-1  approval  Bash\n  r-2  approval  Bash"),
        (("deny", "demo", "x"), [approval("r-1")], 3, "no open approval x"),
        (("approve", "demo"), [approval(kind="question", questions=[QUESTION])], 2, '--answer "Which?=…"  (Blue)'),
        (("approve", "demo", "--answer", "a=b"), [approval()], 2, "--answer is for questions"),
    ],
)
def test_answers_that_cannot_be_given(
    api: Api, arguments: tuple[str, ...], asked: list[dict[str, Any]], code: int, told: str
) -> None:
    api.answers[f"GET {PATH}/approvals"] = {"items": asked}
    done = run(*arguments)
    assert done.exit_code == code
    assert told in done.stderr
    assert all(request.method == "GET" for request in api.requests)


def test_create_with_all_that_is_set_often(api: Api, tmp_path: Any) -> None:
    api.answers["POST /api/v1/session"] = httpx.Response(201, json=session())
    (tmp_path / "spec.json").write_text('{"lifecycle": {"hibernate_after": "5m"}, "model": "haiku"}')
    options = "--namespace team-a --label team=a --label x= --git https://example.com/it --ref main --budget 2.5"
    assert run("create", *options.split(), "--spec", str(tmp_path / "spec.json"), "--model", "opus").exit_code == 0
    assert api.body() == {
        "namespace": "team-a",
        "labels": {"team": "a", "x": ""},
        "model": "opus",
        "workspace": {"git": {"url": "https://example.com/it", "ref": "main"}},
        "budget": {"usd": 2.5},
        "lifecycle": {"hibernate_after": "5m"},
    }
    with_stdin = run("create", "--spec", "-", stdin='{"query": "From the file"}')
    assert api.body() == {"query": "From the file"}
    assert with_stdin.stderr == "watch it: jelmore logs -f demo\n"


def test_ls_filters(api: Api) -> None:
    assert run("ls", "--status", "idle", "--status", "failed", "-n", "team-a", "-l", "a=1", "-l", "b=").exit_code == 0
    asked = api.requests[0].url.params
    assert asked.get_list("status") == ["idle", "failed"]
    assert asked.get_list("label") == ["a=1", "b="]
    assert asked["namespace"] == "team-a"


def test_diff(api: Api) -> None:
    patch = "diff --git a/x b/x\n+\x1b[31mred\n"
    document = {"turn": 1, "files": 1, "insertions": 1, "deletions": 0, "truncated": True, "patch": patch}
    api.answers[f"GET {PATH}/diff"] = document
    done = run("diff", "demo")
    assert (done.exit_code, done.stdout) == (0, patch)
    assert done.stderr == "1 file changed: 1 line more, 0 less; not whole, since it is too large\n"
    assert json.loads(run("diff", "demo", "--json").stdout) == document


READY = {"status": "ready", "model": "demo", "dependencies": {"nats": {"ok": True}}}


def test_info(api: Api) -> None:
    away = {**READY, "status": "degraded", "dependencies": {"nats": {"ok": False, "message": "gone"}}}
    api.answers |= {"GET /readyz": httpx.Response(503, json=away), "GET /healthz": {"status": "ok", "version": "9.9"}}
    document = json.loads(run("info", "--json").stdout)
    assert document["version"] == {"client": VERSION, "api": "9.9"}
    assert (document["url"], document["model"], document["away"]) == ("http://jelmore.test", "demo", ["nats"])
    assert document["home"] is None
    shown = run("info").stdout
    assert "API        9.9 at http://jelmore.test\n" in shown
    assert "away       nats\n" in shown


@pytest.mark.parametrize(
    ("command", "request_line", "document"),
    [
        ("retry", f"POST {PATH}/retry", {"session_id": ID, "retried": True}),
        ("interrupt", f"POST {PATH}/interrupt", {"session_id": ID, "interrupted": True}),
        ("delete", f"DELETE {PATH}", {"session_id": ID, "deleted": True}),
    ],
)
def test_what_a_session_is_asked_for_in_a_word(
    api: Api, command: str, request_line: str, document: dict[str, Any]
) -> None:
    api.answers[request_line] = ACCEPTED
    done = run(command, "demo")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "jelmore " in done.stderr
    assert json.loads(run(command, ID, "--json").stdout) == document


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (problem(401, "set JELMORE_TOKEN"), 4, "set JELMORE_TOKEN"),
        (problem(403, "Host is not ours."), 4, "Host is not ours."),
        (problem(404, "Gone."), 3, "Gone."),
        (problem(409, "Has ended."), 1, "Has ended."),
        (problem(422, "name: bad."), 2, "name: bad."),
        (problem(503, "PostgreSQL does not answer."), 1, "PostgreSQL does not answer."),
        (httpx.Response(502, text="<html>"), 1, "http://jelmore.test answered 502, but not as Jelmore does"),
        (httpx.Response(200, text="hello"), 1, "does not understand"),
        (httpx.Response(200, json={"id": 1}), 1, "does not understand"),
        (
            httpx.ConnectError("refused"),
            1,
            "no Jelmore at http://jelmore.test: start it with `make up`, or set JELMORE_URL",
        ),
        (httpx.ReadTimeout("slow"), 1, "did not answer in time"),
        (httpx.RemoteProtocolError("gone"), 1, "broke (RemoteProtocolError)"),
    ],
)
def test_what_goes_wrong_has_an_exit_code_and_a_sentence(api: Api, answer: object, code: int, told: str) -> None:
    api.answers[f"GET {PATH}"] = answer
    done = run("show", ID)
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("jelmore: ")
    assert told in done.stderr
    assert "a-token-of-sixteen" not in done.stderr
    as_json = json.loads(run("show", ID, "--json").stderr)
    assert as_json["exit_code"] == code
    assert told in as_json["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("ls", "--status", "asleep"),
        ("show",),
        ("send", "demo"),
        ("send", "demo", "  "),
        ("create", ""),
        ("create", "x", "--wait", "--follow"),
        ("send", "demo", "x", "--wait", "--follow"),
        ("logs", "demo", "--raw", "--json"),
        ("logs", "demo", "--after", "-1"),
        ("create", "x", "--timeout", "-1"),
        ("create", "--label", "team"),
        ("create", "--spec", "/nowhere"),
        ("create", "-", "--spec", "-"),
        ("wait", "demo", "--for", "asleep"),
        ("export", "demo", "--check"),
        ("export", "demo", "--json"),
        ("completion", "tcsh"),
    ],
)
def test_wrong_usage_asks_nothing_of_the_api(api: Api, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2
    assert api.requests == []


def test_every_command_explains_itself() -> None:
    listed = run("--help").stdout
    verbs = "create ls show send logs wait approve deny interrupt diff retry delete export doctor info completion"
    for command in verbs.split():
        assert f"  {command} " in listed
        done = run(command, "--help")
        assert done.exit_code == 0
        assert "--json" in done.stdout
    assert "  up " in listed
