"""Mirroring the log into PostgreSQL and Redis; one active of all replicas."""
