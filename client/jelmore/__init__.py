"""The Python client of Jelmore and the `jelmore` command."""
