"""What really happens in the workspace, whoever does it: files and git, as facts. In a pod all of it is hostile."""

from jelmore_agent.workspace.facts import Fact
from jelmore_agent.workspace.watcher import WorkspaceWatcher

__all__ = ["Fact", "WorkspaceWatcher"]
