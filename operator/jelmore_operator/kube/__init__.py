"""The plans of `reconcile` carried out with pods of a cluster: `python -m jelmore_operator`."""
