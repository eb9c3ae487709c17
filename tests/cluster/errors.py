class ClusterError(Exception):
    """No cluster, and what would bring one."""
