"""The operator's settings: what is there without any, and one sentence for each that is wrong."""

from pathlib import Path

import pytest

from jelmore_contract.resource import CredentialsKind
from jelmore_operator.identity import Identity
from jelmore_operator.kube.settings import SettingsError, read_settings


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    identity = Identity.generate()
    identity.save(tmp_path / "keys.json")
    (tmp_path / "core.creds").write_text("me:password")
    (tmp_path / "shared.creds").write_text("a user for all")
    return {
        "JELMORE_NATS_URL": "nats://n:4222",
        "JELMORE_NATS_CREDENTIALS": str(tmp_path / "core.creds"),
        "JELMORE_NATS_IDENTITY": str(tmp_path / "keys.json"),
        "JELMORE_SESSION_IMAGE": "jelmore-session:1",
        "JELMORE_NAMESPACE": "jelmore",
    }


def test_the_least_that_must_be_said(environment: dict[str, str]) -> None:
    settings = read_settings(environment)
    assert settings.namespaces == ()
    assert settings.bus.session_url == "nats://n:4222"
    assert settings.bus.identity is not None
    pods = settings.pods
    assert (pods.pull_policy, pods.anthropic_base_url, pods.access_mode) == ("IfNotPresent", "", "ReadWriteOnce")
    assert (pods.credentials.secret_name, pods.credentials.kind) == ("claude-credentials", CredentialsKind.OAUTH_TOKEN)
    assert (pods.users.base, pods.users.pairs) == (1_000_000_000, 100_000)


def test_all_that_can_be_said(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["JELMORE_NATS_IDENTITY"]
    settings = read_settings(
        environment
        | {
            "JELMORE_NATS_SHARED_CREDENTIALS": str(tmp_path / "shared.creds"),
            "JELMORE_SESSION_NATS_URL": "nats://m:4222",
            "JELMORE_NAMESPACES": "a, b",
            "JELMORE_IMAGE_PULL_POLICY": "Never",
            "JELMORE_IMAGE_PULL_SECRETS": "registry, mirror",
            "JELMORE_ANTHROPIC_BASE_URL": "http://model",
            "JELMORE_CREDENTIALS_SECRET": "keys",
            "JELMORE_CREDENTIALS_KIND": "gateway",
            "JELMORE_UID_BASE": "20000",
            "JELMORE_UID_COUNT": "5",
            "JELMORE_STORAGE_ACCESS_MODE": "ReadWriteOncePod",
            "JELMORE_EGRESS_ALLOWED_CIDRS": "10.0.0.0/8, 2001:db8::/32",
            "JELMORE_EGRESS_DENIED_CIDRS": "10.96.0.0/12",
            "JELMORE_EGRESS_ALLOWED_NAMESPACES": "tools",
        }
    )
    assert settings.namespaces == ("a", "b")
    assert (settings.bus.session_url, settings.bus.identity, settings.bus.shared) == (
        "nats://m:4222",
        None,
        "a user for all",
    )
    assert "a user for all" not in repr(settings)
    assert settings.pods.credentials.kind is CredentialsKind.GATEWAY
    assert (settings.pods.users.base, settings.pods.users.pairs) == (20000, 5)
    assert settings.pods.access_mode == "ReadWriteOncePod"
    assert settings.pods.pull_secrets == ("registry", "mirror")
    egress = settings.pods.egress
    assert [str(each) for each in (*egress.allowed, *egress.denied)] == ["10.0.0.0/8", "2001:db8::/32", "10.96.0.0/12"]
    assert egress.namespaces == ("tools",)


WRONG = {
    "no bus": ({"JELMORE_NATS_URL": ""}, "JELMORE_NATS_URL is not set"),
    "no image": ({"JELMORE_SESSION_IMAGE": ""}, "JELMORE_SESSION_IMAGE is not set"),
    "no namespace": ({"JELMORE_NAMESPACE": ""}, "JELMORE_NAMESPACE is not set"),
    "no name of a namespace": ({"JELMORE_NAMESPACES": "a,B"}, "JELMORE_NAMESPACES: 'B' is no name"),
    "no url": ({"JELMORE_NATS_URL": "http://n"}, "NATS' URL is none: write nats://HOST:4222"),
    "no authority there": ({"JELMORE_NATS_CA": "/nowhere"}, "JELMORE_NATS_CA: /nowhere cannot"),
    "no credentials there": ({"JELMORE_NATS_CREDENTIALS": "/nowhere"}, "JELMORE_NATS_CREDENTIALS: /nowhere cannot"),
    "neither identity nor shared": ({"JELMORE_NATS_IDENTITY": ""}, "Set one of JELMORE_NATS_IDENTITY"),
    "both identity and shared": ({"JELMORE_NATS_SHARED_CREDENTIALS": "/x"}, "Set one of JELMORE_NATS_IDENTITY"),
    "no keys there": ({"JELMORE_NATS_IDENTITY": "/nowhere"}, "JELMORE_NATS_IDENTITY: "),
    "pull policy": ({"JELMORE_IMAGE_PULL_POLICY": "Maybe"}, "must be one of Always, IfNotPresent, Never"),
    "kind": ({"JELMORE_CREDENTIALS_KIND": "password"}, "must be one of oauthToken, apiKey, gateway"),
    "uid base": ({"JELMORE_UID_BASE": "0"}, "JELMORE_UID_BASE is '0': it must be a number from 1000"),
    "uid count": ({"JELMORE_UID_COUNT": "many"}, "JELMORE_UID_COUNT is 'many'"),
    "too many uids": ({"JELMORE_UID_BASE": "2147483000", "JELMORE_UID_COUNT": "1000"}, "JELMORE_UID_COUNT is '1000'"),
    "a host name": (
        {"JELMORE_EGRESS_ALLOWED_CIDRS": "10.0.0.0/8,example.com"},
        "JELMORE_EGRESS_ALLOWED_CIDRS: 'example.com' is no range of addresses: write 10.20.0.0/16",
    ),
    "an address": ({"JELMORE_EGRESS_DENIED_CIDRS": "10.0.0.1"}, "JELMORE_EGRESS_DENIED_CIDRS: '10.0.0.1' is no range"),
    "egress to no namespace": ({"JELMORE_EGRESS_ALLOWED_NAMESPACES": "*"}, "JELMORE_EGRESS_ALLOWED_NAMESPACES: '*' is"),
    "access mode": ({"JELMORE_STORAGE_ACCESS_MODE": "ReadOnlyMany"}, "JELMORE_STORAGE_ACCESS_MODE is 'ReadOnlyMany'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_named(environment: dict[str, str], case: str) -> None:
    change, message = WRONG[case]
    with pytest.raises(SettingsError) as refused:
        read_settings(environment | change)
    assert message in str(refused.value)
