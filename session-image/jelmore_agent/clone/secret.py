"""What a Secret's keys become for git: a program that answers for one server, or a key for ssh. The secrets themselves
stay in their files: git reads them by itself.
"""

import re
import shlex
from pathlib import Path

from jelmore_agent.clone.job import CloneError, Job

#: Asked by git for a user and a password, as gitcredentials(7) says. A token goes with any user name.
_HELPER = (
    '!f() { test "$1" = get || return 0; user=$(cat {username} 2>/dev/null); '
    'printf "username=%s\\npassword=%s\\n" "${user:-git}" "$(cat {password})"; }; f'
)
_SSH = (
    *("ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
    *("-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=no"),
    *("-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"),
)


def credentials(job: Job) -> tuple[dict[str, str], dict[str, str]]:
    """Configuration and environment for git. Raises CloneError for a Secret without what the url needs."""
    if job.scheme == "ssh":
        folder = _folder(job, ("ssh-privatekey", "known_hosts"))
        files = ("-i", str(folder / "ssh-privatekey"), "-o", f"UserKnownHostsFile={folder / 'known_hosts'}")
        return {}, {"GIT_SSH_COMMAND": shlex.join((*_SSH, *files)), "GIT_SSH_VARIANT": "ssh"}
    if job.secret is None or job.scheme == "file":
        return {}, {}
    folder = _folder(job, ("password",))
    names = {name: shlex.quote(str(folder / name)) for name in ("username", "password")}
    helper = _HELPER.replace("{username}", names["username"]).replace("{password}", names["password"])
    # For this server only: wherever it sends git, it does not send the token along.
    server = re.match(r"https?://[^/]*", job.url)
    assert server is not None
    return {f"credential.{server[0]}.helper": helper}, {}


def secrets_of(job: Job) -> list[str]:
    """The lines of the Secret that no message may repeat."""
    path = job.secret / "password" if job.secret is not None else None
    if path is None or not path.is_file():
        return []
    return [line for line in path.read_text(errors="replace").splitlines() if line.strip()]


def _folder(job: Job, keys: tuple[str, ...]) -> Path:
    """The Secret's, with all of these keys."""
    if job.secret is None:
        raise CloneError(f"{job.url} needs a Secret with {' and '.join(keys)}: name one beside the url.")
    missing = [key for key in keys if not (job.secret / key).is_file()]
    if missing:
        advice = ""
        if "known_hosts" in missing:
            advice = " (known_hosts: the lines of `ssh-keyscan HOST`, once you have checked them)"
        raise CloneError(f"{job.secret_name} has no {' and no '.join(missing)}, which {job.url} needs{advice}.")
    unreadable = [key for key in keys if not _readable(job.secret / key)]
    if unreadable:
        raise CloneError(f"{' and '.join(unreadable)} of {job.secret_name} cannot be read: change who may read it.")
    return job.secret


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False
