"""The mirror of the log in PostgreSQL: its tables and how its address is written."""
