"""What leaves the log, and when: nothing that PostgreSQL has not got, and nothing of a session that goes on."""
