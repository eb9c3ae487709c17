"""What is made of a session's resource: whole documents, as the API server gets them."""

import base64
import dataclasses
from typing import Any

import pytest

from jelmore_contract.agent_config import read_config
from jelmore_contract.resource import ClaudeSession, Credentials, CredentialsKind
from jelmore_operator.kube import manifests
from jelmore_operator.kube.pods import Record
from jelmore_operator.kube.settings import Users
from tests.support.observations import NOW, SESSION_ID, ago, resource
from tests.support.pods import SETTINGS

METADATA = {
    "name": "claude-a",
    "namespace": "default",
    "labels": {
        "jelmore.dev/session": SESSION_ID,
        "app.kubernetes.io/name": "jelmore-session",
        "app.kubernetes.io/managed-by": "jelmore",
    },
    "ownerReferences": [
        {
            "apiVersion": "jelmore.dev/v1alpha1",
            "kind": "ClaudeSession",
            "name": "a",
            "uid": SESSION_ID,
            "controller": True,
        }
    ],
}
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod(session: ClaudeSession | None = None, **settings: Any) -> dict[str, Any]:
    return manifests.pod(session or resource(), dataclasses.replace(SETTINGS, **settings), Record())


def containers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = document["spec"]
    return {each["name"]: each for each in (*spec["initContainers"], *spec["containers"])}


def environment(container: dict[str, Any]) -> dict[str, Any]:
    """Values, and `Secret/key` for what comes from one."""
    found = {}
    for each in container["env"]:
        ref = each.get("valueFrom", {}).get("secretKeyRef")
        found[each["name"]] = f"{ref['name']}/{ref['key']}" if ref else each["value"]
    return found


def test_the_claim() -> None:
    spec = {"workspace": {"storage": {"size": "3Gi", "storageClassName": "fast"}}}
    assert manifests.claim(resource(spec=spec), SETTINGS) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": METADATA,
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": "3Gi"}},
        },
    }
    assert "storageClassName" not in manifests.claim(resource(), SETTINGS)["spec"]


def test_the_secret_has_what_the_sidecar_reads_and_no_credentials_for_the_model() -> None:
    document = manifests.secret(resource(spec={"query": "q"}), manifests.BusAccess("nats://n", "a user", "a nonce"))
    data = {name: base64.b64decode(value) for name, value in document.pop("data").items()}
    assert document == {"apiVersion": "v1", "kind": "Secret", "metadata": METADATA, "type": "Opaque"}
    assert sorted(data) == ["agent.json", "nats.creds", "nonce"]
    assert (data["nats.creds"], data["nonce"]) == (b"a user", b"a nonce")
    config = read_config(data["agent.json"])
    assert (config.session_id, config.nats_url, config.query) == (SESSION_ID, "nats://n", "q")
    assert config.socket_mode == 0o660


def test_the_pod_and_its_place() -> None:
    record = Record((ago(2), NOW), 7, 3)
    document = manifests.pod(resource(), SETTINGS, record)
    user = document["spec"]["securityContext"]["runAsUser"]
    notes = document["metadata"].pop("annotations")
    assert document["metadata"] == METADATA
    assert len(notes.pop("jelmore.dev/made-of")) == 16
    assert notes == {
        "jelmore.dev/starts": "2026-01-02T03:04:03.000Z,2026-01-02T03:04:05.000Z",
        "jelmore.dev/report-seq": "7",
        "jelmore.dev/run-before": "3",
        "jelmore.dev/passwd": f"claude:x:{user}:{user}::/home/claude:/bin/bash",
    }
    spec = document["spec"]
    assert {name: value for name, value in spec.items() if "ontainers" not in name} == {
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 30,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [
            {"name": "session", "persistentVolumeClaim": {"claimName": "claude-a"}},
            {"name": "run", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            {
                "name": "passwd",
                "downwardAPI": {
                    "items": [
                        {"path": "passwd", "fieldRef": {"fieldPath": "metadata.annotations['jelmore.dev/passwd']"}}
                    ]
                },
            },
            {"name": "secret", "secret": {"secretName": "claude-a", "defaultMode": 0o440}},
        ],
    }


def test_each_container_is_confined_and_sees_its_own() -> None:
    document = pod()
    user = document["spec"]["securityContext"]["runAsUser"]
    found = containers(document)
    assert {name: each["securityContext"] for name, each in found.items()} == {
        "prepare": CONFINED,
        "agent": {**CONFINED, "runAsUser": user + 1},
        "claude": CONFINED,
    }
    assert all(each["resources"]["requests"] and each["resources"]["limits"] for each in found.values())
    mounts = {
        name: {(m["mountPath"], m.get("subPath"), m.get("readOnly", False)) for m in each["volumeMounts"]}
        for name, each in found.items()
    }
    assert mounts == {
        "prepare": {("/volume", None, False)},
        "agent": {
            ("/var/lib/jelmore", "spool", False),
            ("/workspace", "workspace", True),
            ("/home/claude", "home", True),
            ("/run/jelmore", None, False),
            ("/etc/jelmore", None, True),
        },
        "claude": {
            ("/workspace", "workspace", False),
            ("/home/claude", "home", False),
            ("/run/jelmore", None, True),
            ("/tmp", None, False),
            ("/etc/passwd", "passwd", True),
        },
    }
    assert found["agent"]["restartPolicy"] == "Always"
    assert found["claude"]["args"] == [
        "--socket",
        "/run/jelmore/agent.sock",
        "--grace",
        "15",
        "--orphan-timeout",
        "600",
    ]
    assert {each["image"] for each in found.values()} == {"jelmore-session:1"}


PROXY = "http://127.0.0.1:8377"
OWN = {"HOME": "/home/claude", "JELMORE_NONCE": "claude-a/nonce"}
KINDS: dict[str, tuple[CredentialsKind, str, dict[str, str], dict[str, str]]] = {
    "an account": (CredentialsKind.OAUTH_TOKEN, "", {"CLAUDE_CODE_OAUTH_TOKEN": "keys/oauthToken"}, {}),
    "an account, elsewhere": (
        CredentialsKind.OAUTH_TOKEN,
        "http://m",
        {"CLAUDE_CODE_OAUTH_TOKEN": "keys/oauthToken", "ANTHROPIC_BASE_URL": "http://m"},
        {},
    ),
    "a key": (
        CredentialsKind.API_KEY,
        "",
        {"ANTHROPIC_BASE_URL": PROXY, "ANTHROPIC_API_KEY": "placeholder"},
        {
            "JELMORE_UPSTREAM_KIND": "apiKey",
            "JELMORE_UPSTREAM_SECRET": "/etc/jelmore-upstream",
            "JELMORE_UPSTREAM_URL": "https://api.anthropic.com",
        },
    ),
    "a key, elsewhere": (
        CredentialsKind.API_KEY,
        "http://m",
        {"ANTHROPIC_BASE_URL": PROXY, "ANTHROPIC_API_KEY": "placeholder"},
        {
            "JELMORE_UPSTREAM_KIND": "apiKey",
            "JELMORE_UPSTREAM_SECRET": "/etc/jelmore-upstream",
            "JELMORE_UPSTREAM_URL": "http://m",
        },
    ),
    "a gateway": (
        CredentialsKind.GATEWAY,
        "http://m",
        {"ANTHROPIC_BASE_URL": PROXY, "ANTHROPIC_AUTH_TOKEN": "placeholder"},
        {
            "JELMORE_UPSTREAM_KIND": "gateway",
            "JELMORE_UPSTREAM_SECRET": "/etc/jelmore-upstream",
        },
    ),
}


@pytest.mark.parametrize("case", KINDS)
def test_credentials_reach_the_one_container_that_uses_them(case: str) -> None:
    kind, base, claude, agent = KINDS[case]
    credentials = Credentials(secret_name="keys", kind=kind)
    found = containers(pod(credentials=credentials, anthropic_base_url=base))
    assert environment(found["claude"]) == OWN | claude
    assert environment(found["agent"]) == agent
    mounted = [name for name, each in found.items() if "upstream" in {m["name"] for m in each["volumeMounts"]}]
    assert mounted == (["agent"] if agent else [])


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        (CredentialsKind.OAUTH_TOKEN, []),
        (CredentialsKind.API_KEY, ["apiKey"]),
        (CredentialsKind.GATEWAY, ["token", "baseUrl"]),
    ],
)
def test_the_proxy_s_secret_is_a_volume_that_is_kept_up_to_date_and_missed_at_the_start(
    kind: CredentialsKind, keys: list[str]
) -> None:
    document = pod(credentials=Credentials(secret_name="keys", kind=kind))
    volumes = [each["secret"] for each in document["spec"]["volumes"] if each["name"] == "upstream"]
    items = [{"key": key, "path": key} for key in keys]
    secret = {"secretName": "keys", "items": items, "optional": True, "defaultMode": 0o440}
    assert volumes == ([secret] if keys else [])
    found = containers(document)
    assert environment(found["prepare"]) == {f"JELMORE_NEEDED_{key}": f"keys/{key}" for key in keys}
    assert found["agent"]["ports"] == ([{"name": "proxy-metrics", "containerPort": 8378}] if keys else [])


def test_a_session_may_bring_its_own_credentials() -> None:
    own = resource(spec={"credentials": {"secretName": "mine", "kind": "apiKey"}})
    assert environment(containers(pod(own))["prepare"]) == {"JELMORE_NEEDED_apiKey": "mine/apiKey"}


def test_an_ephemeral_session_has_no_claim() -> None:
    spec = {"workspace": {"storage": {"size": "1Gi", "ephemeral": True}}}
    assert pod(resource(spec=spec))["spec"]["volumes"][0] == {"name": "session", "emptyDir": {"sizeLimit": "1Gi"}}


def test_where_it_runs_and_what_it_gets_is_the_sessions_choice() -> None:
    template = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "runtimeClassName": "sandbox",
        "priorityClassName": "low",
    }
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}
    document = pod(resource(spec={"podTemplate": template, "resources": resources}))
    assert {name: document["spec"][name] for name in template} == template
    assert containers(document)["claude"]["resources"] == resources


def test_the_image_is_pulled_with_the_installations_secrets() -> None:
    assert "imagePullSecrets" not in pod()["spec"]
    assert pod(pull_secrets=("registry", "mirror"))["spec"]["imagePullSecrets"] == [
        {"name": "registry"},
        {"name": "mirror"},
    ]


def test_a_session_keeps_its_users_and_others_have_others() -> None:
    users = Users(20_000, 1000)
    first = manifests.pair_of(SESSION_ID, users)
    assert first == manifests.pair_of(SESSION_ID, users)
    assert first.agent == first.claude + 1
    assert 20_000 <= first.claude < 22_000
    assert first.claude % 2 == 0
    assert manifests.pair_of("another", users) != first


def test_another_spec_is_another_pod() -> None:
    digest = "jelmore.dev/made-of"
    same = {pod()["metadata"]["annotations"][digest] for _ in range(2)}
    other = pod(image="jelmore-session:2")["metadata"]["annotations"][digest]
    assert len(same) == 1
    assert other not in same


def test_a_repository_is_cloned_by_a_step_of_its_own_that_alone_sees_its_secret() -> None:
    git = {"url": "https://h/a", "ref": "topic", "depth": 1, "secretName": "deploy"}
    document = pod(resource(spec={"workspace": {"git": git}}))
    assert [each["name"] for each in document["spec"]["initContainers"]] == ["prepare", "clone", "agent"]
    clone = containers(document)["clone"]
    assert clone["command"] == ["/usr/local/bin/jelmore-clone"]
    assert clone["args"] == [
        *("--url", "https://h/a", "--volume", "/volume", "--result", "/dev/termination-log"),
        *("--ref", "topic", "--depth", "1", "--secret", "/etc/jelmore-git", "--secret-name", "the Secret deploy"),
    ]
    assert clone["securityContext"] == CONFINED
    assert clone["resources"] == containers(document)["claude"]["resources"]
    [volume] = [each for each in document["spec"]["volumes"] if each["name"] == "git"]
    assert volume["secret"] == {"secretName": "deploy", "defaultMode": 0o440, "optional": True}
    mounted = [n for n, each in containers(document).items() if "git" in [m["name"] for m in each["volumeMounts"]]]
    assert mounted == ["clone"]
    assert "deploy" not in str(containers(document)["claude"])


def test_a_public_repository_needs_no_secret() -> None:
    document = pod(resource(spec={"workspace": {"git": {"url": "https://h/a"}}}))
    assert containers(document)["clone"]["args"] == [
        *("--url", "https://h/a", "--volume", "/volume", "--result", "/dev/termination-log")
    ]
    assert "git" not in [each["name"] for each in document["spec"]["volumes"]]


def test_a_claim_that_is_kept_has_no_owner_of_ours() -> None:
    claim = manifests.claim(resource(), SETTINGS)
    claim["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    claim["metadata"]["ownerReferences"].append({"kind": "Backup", "name": "b"})
    assert manifests.kept_claim(claim)["metadata"] == {
        "name": "claude-a",
        "namespace": "default",
        "uid": "u",
        "resourceVersion": "7",
        "ownerReferences": [{"kind": "Backup", "name": "b"}],
        "annotations": {"jelmore.dev/kept": "true"},
    }
    taken = manifests.taken_claim(claim, resource())["metadata"]
    assert [owner["name"] for owner in taken["ownerReferences"]] == ["b", "a"]
    assert taken["annotations"] == {"jelmore.dev/kept": None}
