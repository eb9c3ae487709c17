"""Which folders of this machine a session may be given."""

import os
from collections.abc import Sequence
from pathlib import Path

from jelmore_api.errors import Problem, invalid_field
from jelmore_contract.errors import ProblemType

_PATH = ("workspace", "path")


def allowed_workspace(path: str, roots: Sequence[Path], home: Path, field: Sequence[str] = _PATH) -> str:
    """The folder's real path. Below a root, no part of the way may be a link: it could be pointed elsewhere afterwards.

    home: Jelmore's own data folder, which holds secrets and the other sessions. Raises Problem. Nothing is said of
    what lies outside the roots, not even whether it exists.
    """
    spelled = Path(os.path.normpath(path))
    real = _below_a_root(spelled, roots) if ".." not in Path(path).parts else None
    if real is None:
        below = " or ".join(str(root) for root in roots)
        raise _refusal(field, f"must lie below {below}, without .. (JELMORE_WORKSPACE_ROOTS says where)")
    if any(part.is_symlink() for part in (real, *real.parents)):
        raise _refusal(field, "must not go through a symbolic link; give the path that the link leads to")
    if not real.exists():
        raise _refusal(field, "does not exist; make the folder first")
    if not real.is_dir():
        raise _refusal(field, "is not a folder")
    data = Path(os.path.realpath(home))
    if real.is_relative_to(data) or data.is_relative_to(real):
        raise _refusal(field, "must be neither Jelmore's own data folder nor around or inside it")
    return str(real)


def _below_a_root(path: Path, roots: Sequence[Path]) -> Path | None:
    """The path with the root's own links resolved: whoever set the root chose those."""
    for root in roots:
        resolved = Path(os.path.realpath(root))
        for form in (Path(os.path.normpath(root)), resolved):
            if path.is_relative_to(form):
                return resolved / path.relative_to(form)
    return None


def _refusal(field: Sequence[str], detail: str) -> Problem:
    error = invalid_field(detail, *field)
    return Problem(ProblemType.WORKSPACE_NOT_ALLOWED, f"{'.'.join(field)} {detail}.", errors=[error])
