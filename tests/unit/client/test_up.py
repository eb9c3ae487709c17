"""`jelmore up` is found by its entry point."""

import importlib
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jelmore.command.app import app


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the only packages that are installed here, as far as entry points go."""
    # What is imported late must be found although nothing is installed.
    importlib.import_module("jelmore.command.console")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def brings_up(folder: Path, module: str) -> None:
    metadata = folder / "jelmore-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: jelmore\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(f"[jelmore.commands]\nup = {module}:main\n")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["up", *arguments])


def test_it_gets_the_arguments_and_gives_the_exit_code(installed: Path) -> None:
    brings_up(installed, "a_part_for_this_test")
    (installed / "a_part_for_this_test.py").write_text("def main(argv): print(argv); return 7\n")
    done = run("--help", "--port", "1")
    assert done.output == "['--help', '--port', '1']\n"
    assert done.exit_code == 7


def test_where_it_is_absent_it_is_said_what_to_install(installed: Path) -> None:
    done = run()
    assert done.exit_code == 1
    assert "pip install 'jelmore[local]'" in done.stderr


def test_so_it_is_where_what_it_needs_is_absent(installed: Path) -> None:
    brings_up(installed, "another_part_for_this_test")
    (installed / "another_part_for_this_test.py").write_text("import a_library_that_nobody_has\n")
    done = run()
    assert done.exit_code == 1
    assert "a_library_that_nobody_has is not installed: pip install 'jelmore[local]'" in done.stderr
