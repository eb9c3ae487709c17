"""What is made once, and made again when what it is made from has changed."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import cache
from tests.cluster.images import inputs

DOCKERFILE = """\
FROM debian:trixie-slim AS build
COPY requirements/a.txt requirements/b.txt /requirements/
RUN true \\
    && COPY nothing of this
COPY --from=build /opt/x /opt/x
COPY --chmod=0711 \\
    code /opt/code
# COPY comment /
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("requirements/a.txt", "requirements/b.txt", "code/main.py", "code/deep/er.py", "other/file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return tmp_path


def _key(checkout: Path) -> str:
    return cache.key("name", files=inputs.files(checkout / "Dockerfile", checkout), below=checkout)


def test_an_image_is_made_from_what_its_dockerfile_copies() -> None:
    assert inputs.copied(DOCKERFILE) == ["requirements/a.txt", "requirements/b.txt", "code"]


@pytest.mark.parametrize(
    "change",
    [
        lambda it: (it / "Dockerfile").write_text(f"{DOCKERFILE}\n"),
        lambda it: (it / "requirements/b.txt").write_text("other"),
        lambda it: (it / "code/deep/er.py").write_text("other"),
        lambda it: (it / "code/deep/new.py").touch(),
        lambda it: (it / "code/main.py").rename(it / "code/moved.py"),
        lambda it: (it / "code/main.py").chmod(0o755),
    ],
)
def test_it_is_made_again_when_that_has_changed(checkout: Path, change: Callable[[Path], object]) -> None:
    before = _key(checkout)
    assert before == _key(checkout)
    change(checkout)
    assert _key(checkout) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda it: (it / "other/file").write_text("other"),
        lambda it: (it / "code/__pycache__").mkdir() or (it / "code/__pycache__/x.pyc").touch(),
        lambda it: (it / "code/main.py").touch(),
    ],
)
def test_and_not_otherwise(checkout: Path, change: Callable[[Path], object]) -> None:
    before = _key(checkout)
    change(checkout)
    assert _key(checkout) == before


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "jelmore-tests"


def test_an_entry_is_made_once(own_cache: Path) -> None:
    def make(target: Path) -> None:
        made.append(target)
        (target / "file").touch()

    made: list[Path] = []
    first, second = cache.made("x-1", make), cache.made("x-1", make)
    assert first == second == own_cache / "x-1"
    assert (first / "file").exists()
    assert len(made) == 1


def test_one_that_could_not_be_made_whole_is_not_there(own_cache: Path) -> None:
    def fail(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.made("x-1", fail)
    assert list(own_cache.iterdir()) == []


def test_who_makes_the_same_waits_and_who_makes_something_else_does_not(own_cache: Path) -> None:
    order: list[str] = []

    def make(what: str) -> None:
        with cache.lock(what):
            order.append(what)

    waiting = threading.Thread(target=make, args=["x"])
    with cache.lock("x"):
        waiting.start()
        make("y")
        order.append("done with x")
    waiting.join(20)
    assert order == ["y", "done with x", "x"]


def test_the_last_few_are_kept_of_each_name(own_cache: Path) -> None:
    for second, name in enumerate(("x@1", "x@2", "x@3", "x@4", "x-y@1")):
        cache.made(name, lambda it: None)
        os.utime(own_cache / name, (second, second))
        cache.keep_newest("x@")
    assert sorted(it.name for it in own_cache.iterdir()) == ["x-y@1", "x@3", "x@4"]
