"""Builds images with buildah, without a daemon, a registry or user namespaces, into archives in the cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import cache
from tests.cluster.errors import ClusterError
from tests.cluster.images import inputs

_HERE = Path(__file__).parent
_BASE = "docker.io/library/debian:trixie-slim"
PAUSE = "docker.io/library/pause:test"
SESSION = "docker.io/library/jelmore-session:test"
JELMORE = "docker.io/library/jelmore:test"
DOCKERFILES = {
    PAUSE: _HERE / "pause.Dockerfile",
    SESSION: cache.ROOT / "session-image/Dockerfile",
    JELMORE: cache.ROOT / "api/Dockerfile",
}


def all_images() -> list[Path]:
    """The archive of each, built where something that it is made from has changed."""
    base = cache.key(files=[_HERE / "base.sh", _HERE / "base.Dockerfile"])
    return [_archive(name, dockerfile, base) for name, dockerfile in DOCKERFILES.items()]


def _archive(name: str, dockerfile: Path, base: str) -> Path:
    prefix = f"image-{name.rpartition('/')[2].removesuffix(':test')}@"
    made_from = cache.key(base, name, files=inputs.files(dockerfile, cache.ROOT))

    def build(target: Path) -> None:
        _base(base)
        _say(f"Building {name} ...")
        _buildah("build", "--isolation", "chroot", "--network", "host", "--pull-never", "--layers", _pip(),
                 "--file", str(dockerfile), "--tag", name, str(cache.ROOT))  # fmt: skip
        _buildah("push", name, f"docker-archive:{target}/image.tar:{name}")

    entry = cache.made(f"{prefix}{made_from}", build)
    cache.keep_newest(prefix)
    return entry / "image.tar"


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
