"""Every command and program of the documentation does what the page says, against `jelmore up` with the demo model."""

from pathlib import Path

import pytest

from tests.support.documentation import ROOT, Reader, commands
from tests.support.up import Up

pytestmark = pytest.mark.real_cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Exit code of what `timeout` ended.
_STOPPED = 124
RUN = [page for page in PAGES if any(commands(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_of_a_page(up: Up, page: Path, tmp_path: Path) -> None:
    up.start()
    folder = tmp_path / "reader"
    folder.mkdir()
    # Where Jelmore is found that was started without settings.
    (folder / ".jelmore").symlink_to(up.home)
    reader = Reader(folder, up.url)
    try:
        for command in commands(page):
            status, printed = reader.run(command)
            place = f"{page.relative_to(ROOT)}:{command.line}: {command.text}"
            assert "Traceback" not in printed, f"{place}\n{printed}"
            assert status == (_STOPPED if command.status is None else command.status), f"{place}\n{printed}"
    finally:
        reader.close()
    assert up.stop()[0] == 0
