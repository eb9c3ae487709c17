"""What `jelmore up` takes from the environment and from .env, and what it refuses."""

from pathlib import Path

import pytest

from jelmore_local.servers import StartError
from jelmore_local.settings import api_url, parse_settings, reachable_host, read_environment

TOKEN = "t" * 16


def test_defaults() -> None:
    settings = parse_settings({"HOME": "/home/me"})
    assert (settings.home, settings.host, settings.port) == (Path.home() / ".jelmore", "127.0.0.1", 8000)
    assert settings.token is None
    assert settings.external == {}


def test_what_is_set(tmp_path: Path) -> None:
    settings = parse_settings(
        {
            "JELMORE_HOME": str(tmp_path),
            "JELMORE_HOST": "0.0.0.0",
            "JELMORE_PORT": "9000",
            "JELMORE_TOKEN": TOKEN,
            "JELMORE_NATS_URL": "nats://n",
            "JELMORE_DATABASE_URL": "postgresql://p",
            "JELMORE_REDIS_URL": "redis://r",
        }
    )
    assert (settings.home, settings.host, settings.port, settings.token) == (tmp_path, "0.0.0.0", 9000, TOKEN)
    assert settings.external == {"nats": "nats://n", "postgres": "postgresql://p", "valkey": "redis://r"}
    assert TOKEN not in repr(settings)
    assert "redis://r" not in repr(settings)


def test_an_empty_variable_is_none() -> None:
    assert parse_settings({"JELMORE_PORT": "", "JELMORE_TOKEN": " ", "JELMORE_REDIS_URL": ""}).external == {}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"JELMORE_PORT": "http"}, "JELMORE_PORT"),
        ({"JELMORE_PORT": "65536"}, "JELMORE_PORT"),
        ({"JELMORE_PORT": "-1"}, "JELMORE_PORT"),
        ({"JELMORE_TOKEN": "short"}, "JELMORE_TOKEN"),
        ({"JELMORE_HOST": "0.0.0.0"}, "JELMORE_TOKEN"),
        ({"JELMORE_HOST": "example.com"}, "JELMORE_TOKEN"),
    ],
)
def test_what_is_refused(environment: dict[str, str], named: str) -> None:
    with pytest.raises(StartError) as caught:
        parse_settings(environment)
    assert named in str(caught.value)
    assert ": set " in str(caught.value)
    assert "short characters" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert parse_settings({"JELMORE_HOST": host}).host == host


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("JELMORE_PORT=1\nANTHROPIC_API_KEY='k'\nEMPTY\n")
    read = read_environment({"JELMORE_PORT": "2", "HOME": "/h"}, dotenv)
    assert read == {"JELMORE_PORT": "2", "ANTHROPIC_API_KEY": "k", "HOME": "/h"}


def test_no_file(tmp_path: Path) -> None:
    assert read_environment({"HOME": "/h"}, tmp_path / ".env") == {"HOME": "/h"}


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe=\x00")
    with pytest.raises(StartError, match=r"\.env"):
        read_environment({}, tmp_path / ".env")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("192.0.2.1", "http://192.0.2.1:8000"),
    ],
)
def test_where_the_api_is_reached(host: str, url: str) -> None:
    assert api_url(host, 8000) == url
    assert reachable_host(host) in url
