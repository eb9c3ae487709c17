"""Every command of the documentation does what the page says, against `jelmore up` with the demo model."""

from pathlib import Path

import pytest

from tests.support.documentation import ROOT, Reader, commands
from tests.support.up import Up

pytestmark = pytest.mark.real_cli

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [page for page in PAGES if any(commands(page))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_the_commands_of_a_page(up: Up, page: Path, tmp_path: Path) -> None:
    up.start()
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(folder, up.url, {"JELMORE_HOME": str(up.home)})
    try:
        for command in commands(page):
            status, printed = reader.run(command)
            place = f"{page.relative_to(ROOT)}:{command.line}: {command.text}"
            assert "Traceback" not in printed, f"{place}\n{printed}"
            if command.status is not None:
                assert status == command.status, f"{place}\n{printed}"
            else:
                assert printed, f"{place} printed nothing"
    finally:
        reader.close()
    assert up.stop()[0] == 0
