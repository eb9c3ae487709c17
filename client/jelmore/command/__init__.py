"""The `jelmore` command: its verbs, and how it prints."""
