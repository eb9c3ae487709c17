"""What `jelmore doctor` finds: what a client can see itself, and what the other parts that are installed see.

A part brings its checks by an entry point: a function that takes the environment and gives mappings with `name`,
`status` (ok, note: worth knowing, bad: to be mended), `detail` and `remedy`.
"""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import NamedTuple

from jelmore.blocking import Jelmore
from jelmore.config import find_target, written_down
from jelmore.problems import Denied, JelmoreError, NotListening
from jelmore_contract.version import VERSION

#: Of the entry points with which parts bring checks.
GROUP = "jelmore.checks"
_TIMEOUT_S = 5.0
#: For what a finding says of the API.
_API = "API"


class Finding(NamedTuple):
    name: str
    status: str
    detail: str
    remedy: str = ""


def all_findings(url: str | None) -> list[Finding]:
    """Never raises: what cannot be checked is a finding."""
    here = list(_of_parts())
    found = [Finding("client", "ok", f"Jelmore {VERSION}, Python {platform.python_version()}"), *here]
    try:
        target = find_target(url, os.environ)
        expected = bool(url or os.environ.get("JELMORE_URL")) or not here or written_down() is not None
    except JelmoreError as error:
        return [*found, Finding("address", "bad", error.detail, "see `jelmore doctor --help`")]
    return [*found, *_of_service(target.url, url, expected)]


def _of_parts() -> Iterable[Finding]:
    for part in entry_points(group=GROUP):
        try:
            checks = part.load()
        except ModuleNotFoundError:
            continue  # a part whose extra is not installed
        for finding in checks(dict(os.environ)):
            yield _read(finding)


def _read(finding: Mapping[str, str]) -> Finding:
    return Finding(finding["name"], finding["status"], finding["detail"], finding.get("remedy", ""))


def _of_service(address: str, url: str | None, expected: bool) -> Iterable[Finding]:
    """`expected`: whether somebody should answer there."""
    with Jelmore(url, timeout=_TIMEOUT_S, retries=0) as client:
        try:
            yield _version(client.version(), address)
            yield from _readiness(client)
            next(client.list(), None)
            yield Finding("access", "ok", "calls are answered")
        except NotListening as error:
            if expected:
                yield Finding(_API, "bad", error.detail, "jelmore up, or name another address by --url or JELMORE_URL")
            else:
                yield Finding(_API, "note", f"Jelmore does not run ({address})", "jelmore up starts it")
        except Denied as error:
            yield Finding("access", "bad", error.detail, "set JELMORE_TOKEN to the token that the API was started with")
        except JelmoreError as error:
            yield Finding(_API, "bad", error.detail, f"see {address}/readyz, and what the API logs")


def _version(version: str | None, address: str) -> Finding:
    if version == VERSION:
        return Finding(_API, "ok", f"Jelmore {version} at {address}")
    other = f"Jelmore {version}" if version else "an older Jelmore"
    return Finding(
        _API, "bad", f"{other} at {address}, but this client is {VERSION}", "install the same version of both"
    )


def _readiness(client: Jelmore) -> Iterable[Finding]:
    readiness = client.readiness()
    for name, dependency in readiness.dependencies.items():
        if dependency.ok:
            yield Finding(f"API: {name}", "ok", "answers")
        else:
            yield Finding(
                f"API: {name}", "bad", dependency.message or "is away", "start it; Jelmore comes back by itself"
            )
