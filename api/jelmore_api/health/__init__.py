"""Whether the service lives, and what of all that it needs is there."""
