"""Builds images with buildah, without a daemon, a registry or user namespaces, into archives in the cache."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache
from tests.cluster.errors import ClusterError
from tests.cluster.images import inputs

_HERE = Path(__file__).parent
_BASE = "docker.io/library/debian:trixie-slim"
PAUSE = "docker.io/library/pause:test"
SESSION = "docker.io/library/jelmore-session:test"
JELMORE = "docker.io/library/jelmore:test"
SERVERS = "docker.io/library/servers:test"
#: The release that an upgrade comes from: its sources in this checkout's images.
LAST = "0.1.0"
_RELEASE = cache.ROOT / "tests/data/releases" / LAST


@dataclass(frozen=True)
class Image:
    """base: another of these, and sources: the archive that is put into it. Both or none."""

    dockerfile: Path
    base: str = ""
    sources: Path = cache.ROOT

    def arguments(self) -> list[str]:
        """For whoever builds it; the last one is the folder that it is built from."""
        file = ["--file", str(self.dockerfile)]
        if not self.base:
            return [*file, str(cache.ROOT)]
        given = {"IMAGE": self.base, "SOURCES": self.sources.name}
        said = [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
        return [*said, *file, str(self.sources.parent)]

    def files(self) -> list[Path]:
        """What it is made from, the base aside."""
        return [*inputs.files(self.dockerfile, cache.ROOT), *([self.sources] if self.base else [])]


#: A base stands before what is made from it.
IMAGES = {
    PAUSE: Image(_HERE / "pause.Dockerfile"),
    SESSION: Image(cache.ROOT / "session-image/Dockerfile"),
    JELMORE: Image(cache.ROOT / "api/Dockerfile"),
    SERVERS: Image(_HERE / "servers.Dockerfile"),
    f"docker.io/library/jelmore-session:{LAST}": Image(
        _HERE / "release.Dockerfile", SESSION, _RELEASE / "session.tar.xz"
    ),
    f"docker.io/library/jelmore:{LAST}": Image(_HERE / "release.Dockerfile", JELMORE, _RELEASE / "jelmore.tar.xz"),
}


def all_images() -> list[Path]:
    """The archive of each, built where something that it is made from has changed."""
    return [_archive(name, image) for name, image in IMAGES.items()]


def _key(name: str, image: Image) -> str:
    base = _key(image.base, IMAGES[image.base]) if image.base else _base_key()
    return cache.key(base, name, files=image.files())


def _base_key() -> str:
    return cache.key(files=[_HERE / "base.sh", _HERE / "base.Dockerfile"])


def _archive(name: str, image: Image) -> Path:
    prefix = f"image-{name.rpartition('/')[2].removesuffix(':test').replace(':', '-')}@"

    def build(target: Path) -> None:
        _base(_base_key())
        _say(f"Building {name} ...")
        # The base's name in buildah's storage may be another checkout's: made again, of layers that are there.
        for each in filter(None, (image.base, name)):
            _build(each, IMAGES[each])
        _buildah("push", name, f"docker-archive:{target}/image.tar:{name}")

    entry = cache.made(f"{prefix}{_key(name, image)}", build)
    cache.keep_newest(prefix)
    return entry / "image.tar"


def _build(name: str, image: Image) -> None:
    _buildah("build", "--isolation", "chroot", "--network", "host", "--pull-never", "--layers", _pip(),
             "--tag", name, *image.arguments())  # fmt: skip


def _base(key: str) -> None:
    """Puts the base into buildah's own storage, where the builds find it."""
    tag = f"localhost/jelmore-tests-base:{key}"
    if _buildah("images", "--quiet", "--filter", f"reference={tag}"):
        _buildah("tag", tag, _BASE)
        return

    def bootstrap(target: Path) -> None:
        _say(f"Making {_BASE} with debootstrap, about a minute ...")
        _run(["unshare", "--mount", str(_HERE / "base.sh"), f"{target}/base.tar"])

    context = cache.made(f"base-{key}", bootstrap)
    cache.keep_newest("base-")
    _buildah("build", "--file", str(_HERE / "base.Dockerfile"), "--tag", _BASE, "--tag", tag, str(context))


def _pip() -> str:
    """pip in the builds trusts whom this machine trusts and asks whom this machine's pip asks: a mirror, where set."""
    folder = cache.folder() / "pip"
    folder.mkdir(exist_ok=True)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder)
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    )
    index = asked.stdout.strip() if asked.returncode == 0 else os.environ.get("PIP_INDEX_URL", "")
    lines = ["[global]", "cert = /etc/xdg/pip/ca-certificates.crt", *([f"index-url = {index}"] if index else [])]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return f"--volume={folder}:/etc/xdg/pip:ro"


def _buildah(*arguments: str) -> str:
    storage = cache.folder() / "buildah"
    places = ["--root", f"{storage}/root", "--runroot", f"{storage}/run", "--storage-driver", "overlay"]
    # In a mount namespace of its own, so that no mount of its storage is left behind.
    return _run(["unshare", "--mount", "buildah", *places, *arguments])


def _run(command: list[str]) -> str:
    """:raises ClusterError: with all that it said."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}:\n{done.stdout}")
    return done.stdout


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
