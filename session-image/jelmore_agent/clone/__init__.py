"""Clones a session's repository into its workspace, before anything of the session runs. Standard library only."""
