"""Which credentials sessions get for the model. They go into the environment of the CLI and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

_BASE_URL = "ANTHROPIC_BASE_URL"
#: How the CLI names what it can authenticate with; the first that is set is what it uses.
_KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN")
#: What else of the user's environment says where and how the model is asked.
_ALONGSIDE = (
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"),
)


class Source(StrEnum):
    GATEWAY = "gateway"
    ENVIRONMENT = "environment"
    LOGIN = "login"
    DEMO = "demo"


@dataclass(frozen=True)
class Credentials:
    """`cli_environment`: for the CLI. `config_folder`: the one with the user's login, which the CLI must then use."""

    source: Source
    description: str
    cli_environment: Mapping[str, str] = field(repr=False)
    config_folder: Path | None = None

    @property
    def model(self) -> str:
        """As the API's JELMORE_MODEL has it."""
        return "demo" if self.source is Source.DEMO else "claude"


def find_credentials(environment: Mapping[str, str]) -> Credentials:
    """The first of: an address of the user's own, a key or token, a login, the demo model.

    For the demo model the address is still to be added (`demo_credentials`): it is known once that runs.
    """
    keys = {name: environment[name] for name in _KEYS if environment.get(name)}
    alongside = {name: environment[name] for name in _ALONGSIDE if environment.get(name)}
    used = next(iter(keys), None)
    if base_url := environment.get(_BASE_URL):
        # Without any key the CLI would not even ask: a gateway may need none.
        key = keys or {"ANTHROPIC_API_KEY": "none"}
        what = f"{_BASE_URL}, with {used}" if used else f"{_BASE_URL}, without a key"
        return Credentials(Source.GATEWAY, what, {**alongside, **key, _BASE_URL: base_url})
    if used:
        return Credentials(Source.ENVIRONMENT, used, {**alongside, **keys})
    folder = _config_folder(environment)
    if (folder / ".credentials.json").is_file():
        return Credentials(Source.LOGIN, f"your login in {folder}", alongside, folder)
    return Credentials(Source.DEMO, "none found", {})


def demo_credentials(url: str) -> dict[str, str]:
    """The CLI's environment for the demo model. It checks no key, but without one the CLI does not ask."""
    return {_BASE_URL: url, "ANTHROPIC_API_KEY": "demo"}


def _config_folder(environment: Mapping[str, str]) -> Path:
    """Claude Code's, as the CLI finds it."""
    if given := environment.get("CLAUDE_CONFIG_DIR"):
        return Path(given).expanduser().absolute()
    return Path(environment.get("HOME") or Path.home()) / ".claude"
