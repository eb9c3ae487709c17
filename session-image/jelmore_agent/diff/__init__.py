"""What the workspace is against the session's start: made by a process of its own, after a turn that changed files.

The workspace is hostile in a pod, and the agent holds the session's credentials for the bus. So git never sees the
workspace: its files are read here, below the root and following no link, and streamed into a repository of the agent's
own. No configuration, attribute, hook, filter or nested repository of the workspace's is ever looked at by git.
"""
