"""The plans of `reconcile` carried out with processes on one machine. Runs inside `jelmore up`."""
