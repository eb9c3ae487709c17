"""Turns a ClaudeSession into a running session: pure reconciliation, and the actuators that carry it out."""
