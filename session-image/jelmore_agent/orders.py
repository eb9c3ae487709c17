"""What is decided for the launcher, told to it, and noted as asked for in the view."""

import os
from datetime import UTC, datetime

from jelmore_agent import cli, next_action
from jelmore_agent.journal import Journal
from jelmore_agent.link.launcher_link import LauncherLink
from jelmore_agent.mcp_file import McpFile
from jelmore_agent.view import View
from jelmore_contract.agent_config import AgentConfig
from jelmore_contract.states import Phase


class Orders:
    """`give` raises ConnectionError while no launcher is there."""

    def __init__(self, config: AgentConfig, link: LauncherLink, journal: Journal, view: View) -> None:
        self._config = config
        self._link = link
        self._journal = journal
        self._view = view
        self._mcp_file = McpFile(config)

    def give(self, action: next_action.Action) -> None:
        view, run = self._view, self._journal.fold.run
        match action:
            case next_action.Start():
                self._start(action)
            case next_action.Write():
                self._link.write(run, action.token, action.line)
                view.in_flight.add(action.token)
            case next_action.CloseStdin():
                self._link.close_stdin(run)
                view.closed_since = datetime.now(UTC)
            case next_action.Signal():
                self._link.signal(run, action.number)
                view.signalled = action.number
            case next_action.Confirm():
                self._link.confirm(action.run)
                view.exits.pop(action.run, None)

    def tidy(self) -> None:
        """Once the CLI answers it has read what it was given, and what it runs shall not find that."""
        if self._journal.fold.phase is not Phase.STARTING:
            self._mcp_file.remove()

    def _start(self, action: next_action.Start) -> None:
        fold = self._journal.fold
        # As it is before the start of this run is noted.
        resume = cli.conversation(self._config, fold)
        if not action.again:
            self._journal.begin(action.run, resume)
        self._mcp_file.write()
        fd = self._journal.open_for_cli(action.run)
        try:
            argv = cli.arguments(self._config, fold, resume)
            environment = cli.environment(fold.live or self._config.live, self._config, resume)
            self._view.start_asked(action.run)
            self._link.start(action.run, argv, environment, self._config.workspace, fd)
        finally:
            os.close(fd)
