"""Files that hold secrets: never readable by others, not even for a moment, and never half-written."""

import os
import tempfile
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Puts `text` into a file of mode 0600 in one step; its folder is made with mode 0700. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes files of mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        scratch.rename(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
