"""Passwords of the servers: made once, kept in files that only their owner can read."""

import secrets
from pathlib import Path

from jelmore_operator.secret_files import write_secret


def password_file(home: Path, server: str) -> Path:
    return home / "secrets" / f"{server}-password"


def password(home: Path, server: str) -> str:
    """The server's password; made on first use. Needs no quoting in URLs and configuration files. Raises OSError."""
    path = password_file(home, server)
    try:
        if stored := path.read_text().strip():
            return stored
    except FileNotFoundError:
        pass
    fresh = secrets.token_hex(24)
    write_secret(path, f"{fresh}\n")
    return fresh
