"""Reading the log: in order from any place of it, live, as frames for clients."""
