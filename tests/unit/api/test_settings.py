"""Settings from the environment, and what is refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from jelmore_api.settings import Settings, is_loopback, problem


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("JELMORE_")]:
        monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(f"JELMORE_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    return problem(caught.value)


def test_defaults_serve_this_machine_alone() -> None:
    settings = Settings()
    assert is_loopback(settings.host)
    assert settings.port == 8000
    assert settings.workspace_roots == (Path.home(),)
    assert settings.model == "claude"


def test_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JELMORE_HOSTS", "One.example, two.example,")
    monkeypatch.setenv("JELMORE_WORKSPACE_ROOTS", "/srv/a:~/b:")
    settings = Settings()
    assert settings.hosts == ("one.example", "two.example")
    assert settings.workspace_roots == (Path("/srv/a"), Path.home() / "b")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_any_other_address_needs_a_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_loopback(host)
    if host:
        assert "JELMORE_TOKEN" in refusal(monkeypatch, HOST=host)
        monkeypatch.setenv("JELMORE_TOKEN", "0123456789abcdef")
        assert Settings().host == host


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("PORT", "http"), ("TOKEN", "short"), ("WORKSPACE_ROOTS", "relative"), ("HOME", "relative")],
)
def test_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, **{name: value})
    assert f"JELMORE_{name}" in sentence
    assert "\n" not in sentence


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JELMORE_DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("JELMORE_TOKEN", "hunter2hunter2hunter2")
    assert "hunter2" not in repr(Settings())


def test_in_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("JELMORE_HOST", "0.0.0.0")
    assert "KUBECONFIG" in refusal(monkeypatch, RESOURCES="kubernetes")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    settings = Settings()  # any address: Kubernetes says who may call
    assert (settings.in_cluster, settings.audience, settings.namespaces) == (True, "jelmore", ())
    assert settings.default_namespace == "default"
    monkeypatch.setenv("JELMORE_NAMESPACE", "own")
    monkeypatch.setenv("JELMORE_NAMESPACES", "a, b")
    monkeypatch.setenv("KUBECONFIG", "/kubeconfig")
    settings = Settings()
    assert (settings.default_namespace, settings.namespaces, settings.kubeconfig) == ("own", ("a", "b"), "/kubeconfig")
    assert "JELMORE_NAMESPACES" in refusal(monkeypatch, NAMESPACES="a,B_")
    monkeypatch.setenv("JELMORE_NAMESPACES", "")
    assert "JELMORE_TOKEN goes with one machine only" in refusal(monkeypatch, TOKEN="0123456789abcdef")


def test_on_one_machine_the_namespace_is_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JELMORE_NAMESPACE", "own")
    assert Settings().default_namespace == "default"
    assert "JELMORE_RESOURCES" in refusal(monkeypatch, RESOURCES="elsewhere")
