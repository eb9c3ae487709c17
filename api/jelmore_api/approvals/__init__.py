"""What Claude asks: permission to use a tool, a question, a plan. Listed and answered."""
