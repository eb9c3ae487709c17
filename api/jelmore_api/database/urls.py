"""One address of the database, written as each library wants it. It holds a password: never log it."""

_SCHEMES = ("postgresql+asyncpg://", "postgresql://", "postgres://")


def _rest(database_url: str) -> str:
    for scheme in _SCHEMES:
        if database_url.startswith(scheme):
            return database_url.removeprefix(scheme)
    raise ValueError("the database's URL must begin with postgresql://")


def asyncpg_url(database_url: str) -> str:
    """Raises ValueError for what is no PostgreSQL URL."""
    return f"postgresql://{_rest(database_url)}"
