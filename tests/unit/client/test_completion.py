"""Completion scripts in a real shell."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jelmore.command.app import app

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def completion(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["completion", *arguments])
    assert done.exit_code == 0
    return done.stdout


def bash(script: str, home: Path) -> list[str]:
    environment = {"PATH": PATH, "HOME": str(home), "JELMORE_URL": "http://127.0.0.1:9"}
    command = ["bash", "--noprofile", "--norc", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def completed(words: str) -> str:
    """What bash does at the tab key."""
    at = f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}"
    return f'{at}; _jelmore_completion jelmore; echo "${{COMPREPLY[@]}}"'


def test_bash_completes_verbs_and_options_and_is_quiet_where_nothing_listens(tmp_path: Path) -> None:
    source = "source <(jelmore completion bash)"
    assert set(bash(f"{source}; {completed('jelmore d')}", tmp_path)) == {"deny", "diff", "delete", "doctor"}
    assert "--follow" in bash(f"{source}; {completed('jelmore create --f')}", tmp_path)
    assert "waiting_input" in bash(f"{source}; {completed('jelmore ls --status w')}", tmp_path)
    assert bash(f"{source}; {completed('jelmore show de')}", tmp_path) == []


def test_what_is_installed_for_bash_is_sourced_by_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bashrc").write_text("MINE=1\n")
    file = json.loads(completion("bash", "--install", "--json"))["file"]
    assert Path(file).is_relative_to(tmp_path)
    found = bash(f"source ~/.bashrc; echo $MINE; {completed('jelmore del')}", tmp_path)
    assert found == ["1", "delete"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    script = completion(shell)
    assert "_JELMORE_COMPLETE" in script
    assert json.loads(completion(shell, "--json")) == {"shell": shell, "script": script.rstrip("\n")}
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")
    (tmp_path / "script").write_text(script)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=60)
