"""Sessions with a repository on one machine: cloned before the CLI starts, by the supervisor, from a real server."""

from jelmore_contract.states import SessionState
from tests.support.git_server import GitServer, git
from tests.support.supervised import Supervised, eventually, supervising


def reason(status: object, kind: str = "WorkspaceReady") -> tuple[str, str]:
    found = next(c for c in status.conditions if c.type == kind)  # type: ignore[attr-defined]
    return found.status, found.reason


async def test_a_repository_is_cloned_before_claude_starts(supervised: Supervised, git_server: GitServer) -> None:
    repository = git_server.make("public/a.git")
    git_server.held.clear()
    async with supervising(supervised.settings):
        key = await supervised.create(query="hello", workspace={"git": {"url": f"{git_server.url}/public/a.git"}})
        await eventually(lambda: git_server.requests)
        status = await supervised.until(key, lambda status: bool(status.message))
        assert status.message == f"Cloning {git_server.url}/public/a.git."
        assert (status.state, reason(status)) == (SessionState.PENDING, ("False", "Cloning"))
        assert not (supervised.folder(key) / "launcher.pid").exists()
        # Others do not wait for it.
        other = await supervised.create(query="hello")
        await supervised.until_turn(other, 1)
        git_server.held.set()
        status = await supervised.until_turn(key, 1)
        assert (status.message, reason(status)) == (None, ("True", "Found"))
        workspace = supervised.folder(key) / "workspace"
        assert git(workspace, "rev-parse", "HEAD") == repository.main
        assert (workspace / "README.md").read_text() == "main 1\n"
        assert git(workspace, "remote", "get-url", "origin") == f"{git_server.url}/public/a.git"
    assert (await supervised.states(key))[0] == "idle"
