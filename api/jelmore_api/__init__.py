"""The HTTP, WebSocket and SSE interface to sessions, and the persister that mirrors their log."""
