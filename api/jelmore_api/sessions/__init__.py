"""Sessions: made, looked at, given input, interrupted, deleted."""
