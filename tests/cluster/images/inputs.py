"""What an image is made from, so that it is built again when that has changed and not otherwise."""

import shlex
from collections.abc import Iterator
from pathlib import Path


def copied(dockerfile: str) -> list[str]:
    """The paths, relative to the checkout, that its COPY lines take from there."""
    sources: list[str] = []
    for line in dockerfile.replace("\\\n", " ").splitlines():
        instruction, *words = shlex.split(line, comments=True) or [""]
        flags = [word for word in words if word.startswith("--")]
        if instruction.upper() == "COPY" and not any(flag.startswith("--from=") for flag in flags):
            sources += [word for word in words if word not in flags][:-1]
    return sources


def files(dockerfile: Path, checkout: Path) -> Iterator[Path]:
    yield dockerfile
    for source in copied(dockerfile.read_text()):
        path = checkout / source
        if path.is_dir():
            yield from (it for it in path.rglob("*") if it.is_file() and "__pycache__" not in it.parts)
        elif path.exists():  # what is not there, the build says
            yield path
