"""The file that tells the CLI of its MCP servers, whose tokens must not stand on a command line."""

import json
import os
from pathlib import Path

from jelmore_contract.agent_config import AgentConfig


class McpFile:
    """Beside the launcher's socket, where the CLI can read and not write (in a pod). It is there from the start of a
    CLI until that has read it, so that what Claude runs later does not find it.
    """

    def __init__(self, config: AgentConfig) -> None:
        self._servers = config.mcp_servers
        self.path = Path(config.socket).with_name("mcp.json")
        self._mode = config.socket_mode & 0o640
        self._may_be_there = True  # an agent that was killed may have left it

    def write(self) -> None:
        """Raises OSError."""
        if not self._servers:
            return
        self._may_be_there = True
        scratch = self.path.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, self._mode)
            json.dump({"mcpServers": self._servers}, file)
        scratch.rename(self.path)

    def remove(self) -> None:
        """Nothing where there is none."""
        if self._may_be_there:
            self.path.unlink(missing_ok=True)
            self._may_be_there = False
