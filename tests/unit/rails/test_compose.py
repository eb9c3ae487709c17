"""compose.yaml by its own rules: its schema, no secret in it, and nothing open to others than this machine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "compose.yaml"


@pytest.fixture
def services() -> dict[str, Any]:
    document = yaml.safe_load(COMPOSE.read_text())
    found: dict[str, Any] = document["services"]
    return found


def test_it_follows_the_schema() -> None:
    checked = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_volume_is_declared_and_used(services: dict[str, Any]) -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    assert {volume["source"] for service in services.values() for volume in service["volumes"]} == declared


def test_nothing_listens_beyond_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:4222:4222", "127.0.0.1:8000:8000"]


def test_it_holds_no_secret_and_hands_each_to_one_container(services: dict[str, Any]) -> None:
    given = [service.get("environment", ()) for service in services.values()]
    values = {name: value for one in given if isinstance(one, dict) for name, value in one.items()}
    assert values == {
        "POSTGRES_USER": "jelmore",
        "POSTGRES_DB": "jelmore",
        "POSTGRES_PASSWORD_FILE": "/run/jelmore/password",
    }
    for name in ("postgres", "redis", "nats", "jelmore"):
        mine = [volume for volume in services[name]["volumes"] if volume["source"].startswith("secrets-")]
        assert [(volume["source"], volume["read_only"]) for volume in mine] == [(f"secrets-{name}", True)]


def test_the_order_of_starting(services: dict[str, Any]) -> None:
    for name in ("postgres", "redis", "nats"):
        assert services[name]["depends_on"] == {"secrets": {"condition": "service_completed_successfully"}}
        assert services["jelmore"]["depends_on"][name] == {"condition": "service_healthy"}
        assert services[name]["healthcheck"]["test"]
