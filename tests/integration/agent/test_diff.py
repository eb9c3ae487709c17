"""What turns change, as diffs in the log: against the session's start, once each, whatever is killed, and whatever the
workspace holds.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jelmore_agent.diff.job import Result
from jelmore_agent.diff.maker import DiffMaker
from tests.integration.agent.test_session import BASH, done
from tests.support.hanging_git import HangingGit
from tests.support.processes import arguments_of
from tests.support.scripts import bash, say, script, write
from tests.support.session_rig import Log, MakeRig
from tests.support.workspace import git, until

CONTENT = "".join(f"line {n}\n" for n in range(5))


class Compared:
    """A workspace and its comparisons."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.folder = folder / "workspace", folder / "spool"
        self.workspace.mkdir()
        self.folder.mkdir()
        self.results: list[Result] = []
        self.maker = DiffMaker(str(self.workspace), self.folder, lambda _, result: self.results.append(result))

    async def compare(self) -> tuple[Result, str]:
        self.maker.compare("the.patch")
        await self.maker.finish()
        assert self.results[-1].problem is None
        return self.results[-1], (self.folder / "the.patch").read_bytes().decode()


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    return Compared(tmp_path)


def figures(result: Result) -> tuple[int, int, int, bool]:
    return result.files, result.insertions, result.deletions, result.truncated


async def test_a_patch_leads_from_the_start_to_now(compared: Compared, tmp_path: Path) -> None:
    top = compared.workspace
    (top / "changed.txt").write_text(CONTENT)
    (top / "gone.txt").write_text(CONTENT)
    (top / "same.txt").write_text(CONTENT)
    (top / ".gitignore").write_text("*.log\nbuild/\n")
    (top / "old.log").write_text("x")
    before = tmp_path / "before"
    shutil.copytree(top, before)
    await compared.maker.store_start()
    assert figures((await compared.compare())[0]) == (0, 0, 0, False)
    (top / "changed.txt").write_text(CONTENT.replace("line 2", "line two"))
    (top / "gone.txt").unlink()
    (top / "build").mkdir()
    (top / "build/out").write_text("ignored")
    (top / "old.log").write_text("y")
    (top / 'odd "name"\n\\é').write_text("new\n")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "link").symlink_to("same.txt")
    result, patch = await compared.compare()
    assert figures(result) == (5, 4, 6, False)
    assert "ignored" not in patch
    (tmp_path / "patch").write_text(patch)
    git(before, "apply", str(tmp_path / "patch"))
    for name in ("changed.txt", 'odd "name"\n\\é', "run.sh", "link"):
        assert (before / name).read_text() == (top / name).read_text()
    assert os.access(before / "run.sh", os.X_OK)
    assert not (before / "gone.txt").exists()
    # A start that is stored is not stored again, and what is put back is no difference.
    await compared.maker.store_start()
    assert figures((await compared.compare())[0]) == (5, 4, 6, False)
    for name in ('odd "name"\n\\é', "run.sh", "link"):
        (top / name).unlink()
    (top / "changed.txt").write_text(CONTENT)
    (top / "gone.txt").write_text(CONTENT)
    assert figures((await compared.compare())[0]) == (0, 0, 0, False)


async def test_what_is_too_large_is_left_out_and_said_so(compared: Compared) -> None:
    (compared.workspace / "large").write_bytes(b"x" * 3_000_000)
    (compared.workspace / "grows").write_text(CONTENT)
    await compared.maker.store_start()
    (compared.workspace / "small").write_text("s\n")
    assert figures((await compared.compare())[0]) == (1, 1, 0, False)
    (compared.workspace / "grows").write_bytes(b"y" * 3_000_000)
    assert figures((await compared.compare())[0]) == (1, 1, 0, True)
    (compared.workspace / "grows").write_text(CONTENT)
    assert figures((await compared.compare())[0]) == (1, 1, 0, False)
    for n in range(20):
        (compared.workspace / f"wide{n}").write_text("z" * 60_000 + "\n")
    result, patch = await compared.compare()
    assert figures(result) == (21, 21, 0, True)
    assert len(patch) <= 512 * 1024
    assert patch.endswith("\n")
    assert patch.count("\ndiff --git ") + 1 == patch.count("+++ b/")


async def test_nothing_of_a_hostile_workspace_runs_or_leads_out_of_it(compared: Compared, tmp_path: Path) -> None:
    """Each of these made plain git in the workspace run the program, or read what lies outside."""
    top, ran = compared.workspace, tmp_path / "ran"
    evil = top / "evil.sh"
    evil.write_text(f"#!/bin/sh\necho $0 $@ >> {ran}\ncat\n")
    evil.chmod(0o755)
    secret = tmp_path / "secret"
    secret.write_text("a-secret")
    for repository in (top, top / "nested"):
        repository.mkdir(exist_ok=True)
        git(repository, "init", "-q")
        for setting in (
            *("core.fsmonitor", "diff.external", "diff.x.textconv", "diff.x.command", "filter.x.clean"),
            *("filter.x.process", "core.sshCommand", "core.pager", "core.editor", "uploadpack.packObjectsHook"),
        ):
            git(repository, "config", setting, str(evil))
        (repository / ".gitattributes").write_text(
            "* filter=x diff=x text eol=crlf ident working-tree-encoding=UTF-16\n"
        )
        for hook in ("post-index-change", "pre-commit", "reference-transaction"):
            (repository / ".git/hooks" / hook).parent.mkdir(exist_ok=True)
            (repository / ".git/hooks" / hook).symlink_to(evil)
    (top / ".gitmodules").write_text('[submodule "nested"]\n\tpath = nested\n\turl = ext::sh -c evil\n')
    await compared.maker.store_start()
    (top / "file.txt").write_text("one\r\ntwo\n$Id$\n")
    (top / "nested/file.txt").write_text("nested\n")
    (top / "out").symlink_to(secret)
    (top / "up").symlink_to(tmp_path)
    (top / "passwd").symlink_to("/etc/passwd")
    os.mkfifo(top / "fifo")
    (top / ".GIT").mkdir()
    (top / ".GIT/config").write_text("[core]\n")
    (top / "git~1").write_text("short\n")
    (top / "-flag").write_text("flag\n")
    os.link(secret, top / "hard")
    (top / "locked").write_text("x")
    os.close(os.open(os.fsencode(top) + b"/\xff\xfe", os.O_CREAT | os.O_WRONLY))
    result, patch = await compared.compare()
    assert not ran.exists()
    assert "+one\r" in patch
    assert "+nested" in patch
    assert "root:" not in patch
    assert patch.count("a-secret") == 1, "only by the hard link, which is a file of the workspace"
    assert {"git~1", "-flag"} <= {line[6:] for line in patch.splitlines() if line.startswith("+++ b/")}
    assert result.files >= 8


async def test_a_session_tells_what_turns_change(make_rig: MakeRig) -> None:
    rig = await make_rig(start=False, settings=BASH)
    (rig.workspace / "there.txt").write_text("there\n")
    await rig.start()
    first = await rig.input(script(write("a.txt", "hello\n"), say("Done.")))
    await rig.until(done(first))
    await rig.until(lambda log: log.of("diff"))
    await rig.until(done(await rig.input(script(say("Nothing.")))))
    third = await rig.input(script(bash("echo more >> a.txt && rm there.txt"), say("Done.")))
    await rig.until(done(third))
    await rig.until(lambda log: len(log.of("diff")) == 2)
    one, two = rig.log.payloads("diff")
    assert {name: one[name] for name in one if name != "patch"} == told(1, 1, 1, 0)
    assert one["patch"].endswith("+++ b/a.txt\n@@ -0,0 +1 @@\n+hello\n")
    assert {name: two[name] for name in two if name != "patch"} == told(3, 2, 2, 1)
    assert await rig.stop() == 0
    assert not list(rig.spool.glob("*.patch"))


async def test_git_that_hangs_ends_with_what_compares(
    compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with its agent, say: the next comparison is to be alone in the folder."""
    git = HangingGit(tmp_path / "bin", monkeypatch)
    comparing = asyncio.create_task(compared.maker.store_start())
    await until(lambda: git.pid is not None)
    hangs = git.pid
    assert hangs is not None
    comparing.cancel()
    await asyncio.wait([comparing])
    await until(lambda: not arguments_of(hangs))


def told(turn: int, files: int, insertions: int, deletions: int) -> dict[str, Any]:
    return {"turn": turn, "files": files, "insertions": insertions, "deletions": deletions, "truncated": False}


def count_reaches(kind: str, count: int) -> Callable[[Log], bool]:
    return lambda log: len(log.of(kind)) >= count


async def test_a_diff_is_told_once_whatever_is_killed(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    for turn in range(1, 7):
        prompt = await rig.input(script(bash(f"echo {turn} >> count.txt"), say("Done.")))
        # At once after the turn: before, while or after it is compared.
        await rig.until(count_reaches("turn_completed", turn))
        await rig.restart_agent()
        await rig.until(done(prompt))
        await rig.until(count_reaches("diff", turn))
    assert [(made["turn"], made["insertions"]) for made in rig.log.payloads("diff")] == [(n, n) for n in range(1, 7)]
    ids = [event.id for event in rig.log.events]
    assert len(ids) == len(set(ids))
    assert await rig.stop() == 0
    assert [made["turn"] for made in rig.log.payloads("diff")] == [1, 2, 3, 4, 5, 6]


async def test_a_session_that_is_ended_right_after_its_turn_tells_it_too(make_rig: MakeRig) -> None:
    rig = await make_rig(settings=BASH)
    await rig.input(script(bash("echo x > x.txt"), say("Done.")))
    await rig.until(lambda log: log.of("turn_completed"))
    assert await rig.stop() == 0
    await rig.until(lambda log: len(log.of("diff")) == 1)


async def test_without_git_it_says_so_once(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    rig = await make_rig()
    await rig.until(done(await rig.input(script(write("a.txt", "hello\n"), say("Done.")))))
    await rig.restart_agent()
    await rig.until(done(await rig.input(script(say("Done.")))))
    assert [error["reason"] for error in rig.log.payloads("error")] == ["diff"]
    assert "apt install git" in rig.log.payloads("error")[0]["message"]
    assert rig.log.of("diff") == []
