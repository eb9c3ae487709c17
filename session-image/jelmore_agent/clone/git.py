"""git, run so that nothing but the url and the Secret decides what it does: no configuration of the machine or the
user, no hooks, no templates, no prompts, one protocol, no submodules.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from jelmore_agent.clone.explain import explain
from jelmore_agent.clone.job import CloneError, Job
from jelmore_agent.clone.secret import credentials, secrets_of
from jelmore_agent.lifetime import die_with_parent
from jelmore_contract.agent_config import SESSION_MARK

#: What of this process's environment git needs: to find itself, and the way out of this network; and to be found.
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", SESSION_MARK, *_PROXIES)
_CONFIG = {
    "credential.helper": "",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    # One that sends nothing for a minute has broken off.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
_PROTOCOLS = {"http": "http:https", "https": "https", "ssh": "ssh", "file": "file"}


class Git:
    """deadline: as `time.monotonic` has it; what runs then is ended."""

    def __init__(self, job: Job, deadline: float) -> None:
        self._job = job
        self._deadline = deadline
        self._running: subprocess.Popen[str] | None = None

    def clone(self, folder: Path) -> None:
        """Into an empty folder. Raises CloneError."""
        job = self._job
        depth = ("--depth", str(job.depth)) if job.depth else ()
        if not job.commit:
            name = ("--branch", job.ref) if job.ref else ()
            self._run("clone", *_PLAIN, *depth, *name, "--", job.url, str(folder))
            return
        assert job.ref is not None
        if job.depth:
            self._run("init", "--quiet", "--template=", str(folder))
            self._run("-C", str(folder), "remote", "add", "origin", job.url)
        else:
            self._run("clone", *_PLAIN, "--no-checkout", "--", job.url, str(folder))
        # A clone has what branches and tags lead to; a commit beside them has to be asked for.
        self._run("-C", str(folder), "fetch", "--quiet", "--no-recurse-submodules", *depth, "origin", job.ref)
        self._run("-C", str(folder), "checkout", "--quiet", "--detach", job.ref)

    def end(self) -> None:
        """Ends what runs, and all that it has started."""
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        """Read anew each time: a Secret that is mended counts. Raises CloneError."""
        config, more = credentials(self._job)
        return {**_environment(self._job, {**_CONFIG, **config}), **more}

    def _run(self, *arguments: str) -> None:
        environment = self._environment()
        try:
            process = subprocess.Popen(
                ("git", *arguments),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        except FileNotFoundError:
            raise CloneError("git is not installed here: install it, for instance with `apt install git`.") from None
        self._running = process
        try:
            _, said = process.communicate(timeout=max(0.1, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.end()
            process.communicate()
            what = f"{self._job.url} was not cloned in time: set depth to clone less of its history."
            raise CloneError(what) from None
        finally:
            self._running = None
        if process.returncode:
            raise explain(self._without_secrets(said), self._job)

    def _without_secrets(self, said: str) -> str:
        """A server may repeat what it was sent."""
        for secret in secrets_of(self._job):
            said = said.replace(secret, "…")
        return said


_PLAIN = ("--quiet", "--template=", "--no-recurse-submodules", "--no-local")


def _environment(job: Job, config: Mapping[str, str]) -> dict[str, str]:
    names = {*_INHERITED, *(name.upper() for name in _PROXIES)}
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment |= {
        "LANG": "C",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS[job.scheme],
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for number, (name, value) in enumerate(config.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return environment
