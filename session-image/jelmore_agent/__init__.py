"""What runs beside one session: the launcher that owns the CLI, and the agent that publishes its words."""
