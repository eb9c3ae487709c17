"""Which credentials are used where there are several."""

from pathlib import Path

import pytest

from jelmore_local.banner import banner
from jelmore_local.credentials import Source, demo_credentials, find_credentials

KEY = {"ANTHROPIC_API_KEY": "sk-secret"}
BEARER = {"ANTHROPIC_AUTH_TOKEN": "bearer-secret"}
TOKEN = {"CLAUDE_CODE_OAUTH_TOKEN": "oauth-secret"}
GATEWAY = {"ANTHROPIC_BASE_URL": "http://gateway"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A user without a login."""
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("given", "source", "for_cli"),
    [
        ({}, Source.DEMO, {}),
        (KEY, Source.ENVIRONMENT, KEY),
        (BEARER, Source.ENVIRONMENT, BEARER),
        (TOKEN, Source.ENVIRONMENT, TOKEN),
        ({**KEY, **TOKEN}, Source.ENVIRONMENT, {**KEY, **TOKEN}),
        ({**GATEWAY, **KEY}, Source.GATEWAY, {**GATEWAY, **KEY}),
        ({**GATEWAY, **BEARER}, Source.GATEWAY, {**GATEWAY, **BEARER}),
        (GATEWAY, Source.GATEWAY, {**GATEWAY, "ANTHROPIC_API_KEY": "none"}),
        ({**KEY, "HTTPS_PROXY": "http://p"}, Source.ENVIRONMENT, {**KEY, "HTTPS_PROXY": "http://p"}),
        ({"ANTHROPIC_API_KEY": ""}, Source.DEMO, {}),
        ({**KEY, "AWS_SECRET_ACCESS_KEY": "x", "JELMORE_TOKEN": "x"}, Source.ENVIRONMENT, KEY),
    ],
)
def test_what_the_environment_says(
    home: dict[str, str], given: dict[str, str], source: Source, for_cli: dict[str, str]
) -> None:
    found = find_credentials({**home, **given})
    assert found.source is source
    assert found.cli_environment == for_cli
    assert found.config_folder is None
    assert found.model == ("demo" if source is Source.DEMO else "claude")


@pytest.mark.parametrize("variable", ["HOME", "CLAUDE_CONFIG_DIR"])
def test_a_login(tmp_path: Path, variable: str) -> None:
    folder = tmp_path / ".claude" if variable == "HOME" else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / ".credentials.json").write_text("{}")
    found = find_credentials({variable: str(tmp_path)})
    assert (found.source, found.config_folder) == (Source.LOGIN, folder)


@pytest.mark.parametrize("given", [KEY, GATEWAY])
def test_the_environment_wins_over_a_login(tmp_path: Path, given: dict[str, str]) -> None:
    (tmp_path / ".credentials.json").write_text("{}")
    assert find_credentials({"CLAUDE_CONFIG_DIR": str(tmp_path), **given}).config_folder is None


def test_the_demo_model_gets_no_proxy_and_a_key_that_is_none() -> None:
    assert demo_credentials("http://127.0.0.1:1") == {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1",
        "ANTHROPIC_API_KEY": "demo",
    }


@pytest.mark.parametrize("given", [{}, KEY, TOKEN, {**GATEWAY, **BEARER}])
def test_the_banner_says_which_and_shows_none(home: dict[str, str], given: dict[str, str]) -> None:
    found = find_credentials({**home, **given})
    text = banner("http://127.0.0.1:8000", found, Path("/data"), token=True, ready=False)
    assert "secret" not in text + repr(found)
    assert ("DEMO" in text) == (not given)
    for name in given:
        assert name in text
    assert "curl -X POST http://127.0.0.1:8000/api/v1/session" in text
    assert "Authorization: Bearer $JELMORE_TOKEN" in text
    assert "http://127.0.0.1:8000/readyz" in text
