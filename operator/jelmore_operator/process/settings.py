"""What the local supervisor is told."""

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_bus import Access, Tls
from jelmore_operator.identity import Identity


@dataclass(frozen=True, slots=True)
class Programs:
    """How launcher, agent and clone are run; the arguments that name a session's files are added."""

    launcher: tuple[str, ...]
    agent: tuple[str, ...]
    clone: tuple[str, ...]


def _programs() -> Programs:
    """Those of the installed `jelmore_agent`. It is found, not imported: the supervisor needs none of its
    code.
    """
    package = importlib.util.find_spec("jelmore_agent")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("jelmore_agent is not installed beside jelmore_operator")
    launcher = Path(package.submodule_search_locations[0]) / "launcher" / "__main__.py"
    python = (sys.executable, "-I")
    return Programs(
        launcher=(*python, "-S", str(launcher)),
        agent=(*python, "-m", "jelmore_agent.main"),
        clone=(*python, "-m", "jelmore_agent.clone"),
    )


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """home: sessions live in `sessions/` below it. nats_credentials: file for the supervisor's own
    connection; None for a server without users, or with a user in its URL. identity: makes each session a
    user of its own; without it `nats_shared` is the text of a file of credentials for all, "" for none.
    claude: the CLI. cli_environment: given to every CLI on top of the supervisor's PATH, HOME and the like;
    it holds the model's credentials, which are kept nowhere else. claude_config_dir: the user's own Claude
    folder with their login; None for a fresh one a session. shutdown_limit: seconds that `stop` may take.
    """

    home: Path
    nats_url: str
    nats_credentials: Path | None
    identity: Identity | None
    claude: Path
    cli_environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    claude_config_dir: Path | None = None
    nats_tls: Tls = field(default_factory=Tls)
    nats_shared: str = field(default="", repr=False)
    shutdown_limit: float = 25.0
    programs: Programs = field(default_factory=_programs)

    @property
    def bus(self) -> Access:
        """The supervisor's own way to NATS."""
        return Access(self.nats_url, str(self.nats_credentials or ""), self.nats_tls)
