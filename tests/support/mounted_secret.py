"""A Secret as the kubelet mounts it: files that are links into a folder of one version, exchanged by one link."""

import shutil
from pathlib import Path


class MountedSecret:
    """`put` replaces the whole content, in the kubelet's own order of steps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version = 0
        folder.mkdir()

    def put(self, **files: str) -> None:
        self._version += 1
        name = f"..2026_01_02_03_04_05.{self._version}"
        (self.folder / name).mkdir()
        for key, text in files.items():
            (self.folder / name / key).write_text(text)
        current = self.folder / "..data"
        before = current.readlink() if current.is_symlink() else None
        scratch = self.folder / "..data_tmp"
        scratch.symlink_to(name)
        scratch.rename(current)
        self._link(files)
        if before is not None:
            shutil.rmtree(self.folder / before)

    def _link(self, files: dict[str, str]) -> None:
        for entry in self.folder.iterdir():
            if not entry.name.startswith("..") and entry.name not in files:
                entry.unlink()
        for key in files:
            if not (self.folder / key).is_symlink():
                (self.folder / key).symlink_to(f"..data/{key}")
