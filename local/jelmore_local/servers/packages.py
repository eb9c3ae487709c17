"""Where an installed package lies, without importing it: some bring in far more than is needed here."""

from importlib.util import find_spec
from pathlib import Path

from jelmore_local.servers.errors import StartError


def package_folder(name: str) -> Path:
    """Raises StartError if it is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(f"The package {name} is missing: install Jelmore with its extra `local`.")
    return Path(spec.submodule_search_locations[0])
