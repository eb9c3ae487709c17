"""The commands, one module for each or for what belongs together. Each imports what it needs when it is called."""
