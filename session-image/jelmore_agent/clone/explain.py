"""What git and ssh say when they fail, in words that say what to do. Pure; they must speak English (LANG=C)."""

import re
from typing import NamedTuple

from jelmore_agent.clone.job import CloneError, Job

_LONGEST = 600


class _Case(NamedTuple):
    """said: a regular expression. passing: as in `CloneError`."""

    said: str
    message: str
    passing: bool = False


_CASES = (
    _Case(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed|No .* host key is known",
        "{url}: the server shows a host key that known_hosts of {secret} does not have. If it is the right one, put "
        "the line of `ssh-keyscan` for this host there.",
    ),
    _Case(
        r"UNPROTECTED PRIVATE KEY|bad permissions",
        "{url}: ssh refuses a key that others may read: `chmod 600` the file ssh-privatekey of {secret}.",
    ),
    _Case(
        r"Load key .*: |invalid format|error in libcrypto",
        "{url}: ssh cannot use ssh-privatekey of {secret}: it must be a whole private key, with its last newline.",
    ),
    _Case(
        r"Permission denied \(|Too many authentication failures",
        "{url}: the server refuses the key of {secret}: it must be without a passphrase, and its public half must have "
        "access to the repository.",
    ),
    _Case(
        r"could not read (Username|Password)|Authentication failed|returned error: 40[13]|Access denied",
        "{url}: {refused}",
    ),
    _Case(
        r"Remote branch .* not found|couldn't find remote ref",
        "{url} has no branch or tag {ref}: change the ref.{hint}",
    ),
    _Case(
        r"not our ref|unadvertised object|reference is not a tree|bad object|unable to read tree|pathspec",
        "{url} has no commit {ref}, or does not hand it out: change the ref.",
    ),
    _Case(
        r"repository .* not found|Repository not found|does not appear to be a git repository|does not exist"
        r"|returned error: 404|not valid: is this a git repository",
        "{url}: there is no such repository, or it may not be seen: check the url{or_name}.",
    ),
    _Case(
        r"server certificate|SSL certificate|certificate verif|SSL peer",
        "{url}: the server's certificate cannot be trusted: {said}",
    ),
    _Case(
        r"No space left on device|Disk quota exceeded|unable to write file|File too large",
        "{url}: there is no room for the repository: ask for more storage, or set depth to clone less of its history.",
    ),
    _Case(
        r"Could not resolve host",
        "{url}: the host's name is not known here: check the url, and whether the network lets the name be looked up.",
        passing=True,
    ),
    _Case(
        r"Failed to connect|Connection refused|[Tt]imed out|Connection reset|Network is unreachable|No route to host"
        r"|Connection closed|closed by remote host|early EOF|RPC failed|returned error: 5\d\d|Operation too slow"
        r"|unexpected disconnect|Empty reply|hung up unexpectedly",
        "{url}: the server cannot be reached, or broke off: {said}",
        passing=True,
    ),
)


def explain(stderr: str, job: Job) -> CloneError:
    said = _words(stderr)
    for case in _CASES:
        if re.search(case.said, stderr):
            return CloneError(_fill(case.message, said, job), case.passing)
    return CloneError(_fill("{url} cannot be cloned: {said}", said, job))


def _fill(message: str, said: str, job: Job) -> str:
    return message.format(
        url=job.url,
        ref=job.ref,
        secret=job.secret_name,
        said=said,
        refused=_refused(job),
        or_name="" if job.secret else ", or name the Secret of a token beside it",
        hint=" A commit needs its whole hash." if re.fullmatch(r"[0-9a-f]{4,63}", job.ref or "") else "",
    )


def _refused(job: Job) -> str:
    if job.secret is None:
        return "there is no such repository, or it is private: check the url, or name the Secret of a token beside it."
    return f"the server refuses username and password of {job.secret_name}: put a token there that may read it."


def _words(stderr: str) -> str:
    """What went wrong, of all that was said: without progress, and without what a server wants to have shown."""
    lines = [re.sub(r"[^\x20-\x7e\x80-\U0010ffff]", " ", line).strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line and not line.startswith("remote:")]
    told = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-2:]
    text = " ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in told) or "git gave no reason"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
