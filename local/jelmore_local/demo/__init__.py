"""The scripted demo model: a Messages API server for tests and for machines without Claude credentials."""
