"""The key proxy beside a session's agent: Claude's container holds a placeholder, and the real key is added here."""
