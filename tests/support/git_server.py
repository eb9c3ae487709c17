"""A real git server on loopback: `git http-backend` behind a small HTTP server, with repositories of the test's own."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

USER, TOKEN = "tester", "a-token-that-nobody-may-see"
_WHO = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.invalid"}
_WHO |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.invalid", "GIT_CONFIG_GLOBAL": "/dev/null"}


def git(folder: Path, *arguments: str) -> str:
    """What it prints; the machine's own configuration aside."""
    environment = {**os.environ, **_WHO, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ("git", "-C", str(folder), *arguments), env=environment, check=True, capture_output=True, text=True, timeout=30
    ).stdout.strip()


@dataclass
class Repository:
    """`main` has two commits; `topic` another, with the tag `v1`; `hidden` is on no branch that is left."""

    path: Path
    first: str
    main: str
    topic: str
    hidden: str


def make_repository(path: Path) -> Repository:
    """A bare one at `path`."""
    work = path.with_suffix(".work")
    work.mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    commits = []
    for number, branch in enumerate(("main", "main", "topic", "hidden")):
        if branch != "main":
            git(work, "checkout", "-q", "-b", branch, "main")
        (work / "README.md").write_text(f"{branch} {number}\n")
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", f"{branch} {number}")
        commits.append(git(work, "rev-parse", "HEAD"))
        if branch == "topic":
            git(work, "tag", "v1")
    git(work, "checkout", "-q", "main")
    git(path.parent, "clone", "-q", "--bare", str(work), str(path))
    # Still there for whoever knows its hash, and in no clone: as with a branch that was rewritten.
    git(path, "update-ref", "refs/keep/hidden", commits[3])
    git(path, "branch", "-q", "-D", "hidden")
    git(path, "config", "transfer.hideRefs", "refs/keep")
    return Repository(path, *commits)


@dataclass
class GitServer:
    """`/public/NAME` is open, `/private/NAME` wants USER and TOKEN. seen: the credentials that came, by path.
    held: cleared, answers wait. refusing: an HTTP status for everything.
    """

    root: Path
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    refusing: int | None = None
    redirect: str | None = None

    def make(self, name: str) -> Repository:
        return make_repository(self.root / name)


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            server.requests += 1
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            server.held.wait()
            given = _credentials(self.headers.get("authorization", ""))
            if given:
                server.seen.append((self.path, given))
            if server.refusing is not None:
                self._answer(server.refusing, [], b"")
            elif server.redirect is not None:
                self._answer(302, [("Location", server.redirect + self.path)], b"")
            elif self.path.startswith("/private/") and given != f"{USER}:{TOKEN}":
                # What it was sent is sent back, as a careless server might.
                self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], given.encode())
            else:
                self._run_backend(body)

        def _run_backend(self, body: bytes) -> None:
            split = urlsplit(self.path)
            environment = {
                **os.environ,
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": split.path,
                "QUERY_STRING": split.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                "REMOTE_USER": USER,
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(("git", "http-backend"), input=body, env=environment, capture_output=True, timeout=30)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = [
                (name, value.strip()) for name, _, value in (h.partition(":") for h in head.decode().splitlines())
            ]
            status = next((value for name, value in fields if name == "Status"), "200 OK")
            self._answer(int(status.split()[0]), [pair for pair in fields if pair[0] != "Status"], content)

        def _answer(self, status: int, fields: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in fields:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _credentials(header: str) -> str:
    return base64.b64decode(header.removeprefix("Basic ")).decode() if header.startswith("Basic ") else ""


@contextmanager
def serving(root: Path, host: str = "127.0.0.1") -> Iterator[GitServer]:
    server = GitServer(root)
    server.held.set()
    http = ThreadingHTTPServer((host, 0), _handler(server))
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://{host}:{http.server_address[1]}"
    try:
        yield server
    finally:
        server.held.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """Empty: `make` puts repositories into it."""
    root = tmp_path / "git"
    root.mkdir()
    with serving(root) as server:
        yield server
