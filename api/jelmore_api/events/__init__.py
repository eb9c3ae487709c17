"""A session's log by the page, and the payloads that were too large for their event."""
