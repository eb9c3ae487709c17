"""PID 1 of the sidecar in a pod: keeps the agent, and the key proxy where there is one. Standard library only."""
