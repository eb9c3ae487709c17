"""What the API server refuses of a ClaudeSession, in words that say what to do."""

from typing import Any

import pytest

from tests.support.kube_http import Refusal, SessionsHttp

NIL = "00000000-0000-0000-0000-000000000000"
ID, OTHER = "6b2f9a52-8c1d-4c39-9d0e-3a5b0f5c9a11", "0e7d4a4e-5df1-4a52-a4b8-1d2f6f1c7a10"
NOT_BLANK = ("spec.query", "Forbidden: must not be blank")
TRUST = (
    "spec.workspace.trustSettings",
    "needs credentials of kind apiKey or gateway: a repository's own settings can redirect an OAuth token",
)
RESOURCE = "must name cpu, memory, ephemeral-storage, or what a node offers beside them, such as example.com/gpu"


def toleration(**fields: Any) -> dict[str, Any]:
    return {"podTemplate": {"tolerations": [fields]}}


def trust(**credentials: str) -> dict[str, Any]:
    return {"workspace": {"trustSettings": True}, "credentials": {"secretName": "x"} | credentials}


def cloning(url: str, **git: Any) -> dict[str, Any]:
    return {"workspace": {"git": {"url": url} | git}}


def to(**destination: Any) -> dict[str, Any]:
    return {"egress": {"allow": [{"ports": [443], **destination}]}}


TO = "spec.egress.allow[0]"
URL = "spec.workspace.git.url"
#: Of a group of fields, the API server names what it says of no one of them by the group.
GIT = "spec.workspace.git"
NONSENSE: list[tuple[dict[str, Any], str, str]] = [
    ({"query": "  \n\t"}, *NOT_BLANK),
    ({"query": "\u00a0\u2003\x1c\x85"}, *NOT_BLANK),
    ({"query": ""}, "spec.query", "should be at least 1 chars long"),
    ({"permissionMode": "yolo"}, "spec.permissionMode", 'supported values: "default", "acceptEdits", "plan"'),
    ({"model": 5}, "spec.model", 'must be of type string: "integer"'),
    ({"approvals": {"timeout": "half an hour"}}, "spec.approvals.timeout", "should match"),
    ({"sessionId": NIL}, "spec.sessionId", "must be a UUID in lower case, and not the nil UUID"),
    ({"sessionId": NIL.replace("-", "")}, "spec.sessionId", "must be a UUID in lower case, and not the nil UUID"),
    ({"sessionId": ID.upper()}, "spec.sessionId", "must be a UUID in lower case, and not the nil UUID"),
    ({"sessionId": "mine"}, "spec.sessionId", 'must be of type uuid: "mine"'),
    ({"workspace": {"path": "/srv/x"}}, "spec.workspace.path", "Forbidden: is for one machine only: leave it out"),
    ({"workspace": {"trustSettings": True}}, *TRUST),
    (trust(), *TRUST),
    (trust(kind="oauthToken"), *TRUST),
    ({"credentials": {"kind": "apiKey"}}, "spec.credentials.secretName", "Required value"),
    ({"workspace": {"storage": {"size": "0Gi"}}}, "spec.workspace.storage.size", "must be more than 0, such as 10Gi"),
    ({"workspace": {"storage": {"size": "big"}}}, "spec.workspace.storage.size", "should match"),
    ({"resources": {"requests": {"memory": "8Gi"}}}, "spec.resources.requests", "must not be more than limits"),
    ({"resources": {"limits": {"cpu": 1}, "requests": {"cpu": "2"}}}, "spec.resources.requests", "more than limits"),
    ({"resources": {"limits": {"RAM": 1}}}, "spec.resources.limits", RESOURCE),
    ({"resources": {"requests": {"x" * 400: 1}}}, "spec.resources.requests", RESOURCE),
    ({"resources": {"limits": {"cpu": -1}}}, "spec.resources.limits.cpu", "greater than or equal to 0"),
    (
        {"podTemplate": {"nodeSelector": {"a b": "x"}}},
        "spec.podTemplate.nodeSelector",
        "must name labels as Kubernetes",
    ),
    ({"podTemplate": {"nodeSelector": {"a": "x y"}}}, "spec.podTemplate.nodeSelector.a", "should match"),
    (toleration(), "spec.podTemplate.tolerations[0].operator", "without a key, operator must be Exists"),
    (
        toleration(key="k", operator="Exists", value="v"),
        "spec.podTemplate.tolerations[0].value",
        "goes with operator Equal only",
    ),
    (
        toleration(key="k", tolerationSeconds=5),
        "spec.podTemplate.tolerations[0].tolerationSeconds",
        "goes with effect NoExecute only",
    ),
    (cloning("https://token@github.com/a"), URL, "must hold no user, password or token: keep them in a Secret"),
    (cloning("ssh://git:word@host/a", secretName="k"), URL, "must hold no user, password or token"),
    (cloning("ext::sh -c true"), URL, "must be https://HOST/PATH"),
    (cloning("--upload-pack=x"), URL, "must be https://HOST/PATH"),
    (cloning("https://host/a\n"), URL, "must be https://HOST/PATH"),
    (cloning("file:///srv/a"), URL, "is for one machine only"),
    (cloning("git@host:a"), GIT, "an ssh url needs a Secret with the keys ssh-privatekey and known_hosts"),
    (cloning("https://host/a", ref="-x"), f"{GIT}.ref", "should match"),
    (cloning("https://host/a", depth=0), f"{GIT}.depth", "greater than or equal to 1"),
    ({"workspace": {"commits": {"name": "A <a@b>"}}}, "spec.workspace.commits.name", "should match"),
    (to(cidr="example.com"), f"{TO}.cidr", "Forbidden: must be a range of addresses such as 10.20.0.0/16"),
    (to(cidr="*.example.com"), f"{TO}.cidr", "Host names cannot be given"),
    (to(cidr="10.0.0.1"), f"{TO}.cidr", "or 192.0.2.7/32 for a single one"),
    (to(cidr="010.0.0.0/8"), f"{TO}.cidr", "must be a range of addresses"),
    (to(), TO, "must name either a cidr or a namespace"),
    (to(cidr="10.0.0.0/8", namespace="a"), TO, "must name either a cidr or a namespace"),
    (to(namespace="A"), f"{TO}.namespace", "should match"),
    (to(cidr="10.0.0.0/8", ports=[]), f"{TO}.ports", "should have at least 1 items"),
    (to(cidr="10.0.0.0/8", ports=[65536]), f"{TO}.ports[0]", "less than or equal to 65535"),
    ({"mcpServers": {"a": "b"}}, "spec.mcpServers.a", 'must be of type object: "string"'),
    ({"allowedTools": ["x"] * 129}, "spec.allowedTools", "must have at most 128 items"),
]


@pytest.mark.parametrize(("spec", "field", "message"), NONSENSE, ids=[str(case[0])[:60] for case in NONSENSE])
def test_nonsense_is_refused(dry_sessions: SessionsHttp, spec: dict[str, Any], field: str, message: str) -> None:
    refusal = Refusal.of(dry_sessions.create(spec))
    assert refusal is not None
    assert refusal.code == 422
    assert message in refusal.causes[field]


@pytest.mark.parametrize(
    "spec",
    [
        trust(kind="apiKey"),
        trust(kind="gateway"),
        cloning("https://host:8443/a/b.git", ref="feature/größe-1", depth=1),
        cloning("git@host:a/b", secretName="key"),
        cloning("ssh://git@[::1]:22/a", secretName="key"),
        {"workspace": {"commits": {"name": "Ä B", "email": "a@example.com", "attribution": False}, "retain": True}},
        {"sessionId": ID},
        {"query": "\u00a0x"},
        {"resources": {"limits": {"cpu": 2}, "requests": {"cpu": "2000m"}}},
        {"resources": {"limits": {}, "requests": {"memory": "64Gi", "example.com/gpu": 1}}},
        toleration(operator="Exists"),
        to(cidr="10.1.2.3/16"),
        to(cidr="2001:db8::/32", ports=[1, 65535]),
        to(namespace="tools"),
    ],
    ids=str,
)
def test_what_makes_sense_is_accepted(dry_sessions: SessionsHttp, spec: dict[str, Any]) -> None:
    assert Refusal.of(dry_sessions.create(spec)) is None


@pytest.mark.parametrize("name", ["with.dot", "x" * 64])
def test_a_name_that_no_label_can_have_is_refused(dry_sessions: SessionsHttp, name: str) -> None:
    refusal = Refusal.of(dry_sessions.create({}, name))
    assert refusal is not None
    assert "metadata.name must be at most 63 of a-z, 0-9 and -" in refusal.message


ORIGINAL = {
    "query": "Hello",
    "sessionId": ID,
    "credentials": {"secretName": "a", "kind": "apiKey"},
    "workspace": {
        "trustSettings": True,
        "storage": {"size": "1Gi", "storageClassName": "fast"},
        "git": {"url": "https://host/a"},
    },
}
QUERY = ("spec.query", "Forbidden: is the first input and cannot be changed: send another input instead")
SESSION_ID = ("spec.sessionId", "Forbidden: cannot be changed: make another session")
STORAGE = ("spec.workspace.storage", "Forbidden: cannot be changed: make another session")
#: Of merge patches: null removes.
FORBIDDEN: list[tuple[dict[str, Any], str, str]] = [
    ({"query": "Another"}, *QUERY),
    ({"query": None}, *QUERY),
    ({"sessionId": OTHER}, *SESSION_ID),
    ({"sessionId": None}, *SESSION_ID),
    ({"workspace": {"storage": {"size": "2Gi"}}}, *STORAGE),
    ({"workspace": {"storage": {"storageClassName": None}}}, *STORAGE),
    ({"workspace": {"storage": {"ephemeral": True}}}, *STORAGE),
    ({"workspace": {"storage": None}}, *STORAGE),
    ({"workspace": None}, *STORAGE),
    ({"workspace": {"git": None}}, GIT, "Forbidden: cannot be added or taken away: make another session"),
    ({"credentials": {"kind": "oauthToken"}}, *TRUST),
    ({"credentials": None}, *TRUST),
]


@pytest.mark.parametrize(("changes", "field", "message"), FORBIDDEN, ids=[str(case[0]) for case in FORBIDDEN])
def test_a_change_of_what_is_fixed_is_refused(
    sessions_http: SessionsHttp, changes: dict[str, Any], field: str, message: str
) -> None:
    created = sessions_http.create(ORIGINAL).json()
    refusal = Refusal.of(sessions_http.patch({"spec": changes}))
    assert refusal is not None
    assert refusal.code == 422
    assert message in refusal.causes[field]
    assert sessions_http.get() == created


def test_the_spec_cannot_be_removed_to_begin_anew(sessions_http: SessionsHttp) -> None:
    sessions_http.create(ORIGINAL)
    refusal = Refusal.of(sessions_http.patch({"spec": None}))
    assert refusal is not None
    assert {"spec.query", "spec.sessionId", "spec.workspace.storage"} <= refusal.causes.keys()


def test_what_was_left_out_cannot_be_added_later(sessions_http: SessionsHttp) -> None:
    sessions_http.create({})
    for changes, (field, message) in (({"query": "Hello"}, QUERY), ({"sessionId": ID}, SESSION_ID)):
        refusal = Refusal.of(sessions_http.patch({"spec": changes}))
        assert refusal is not None
        assert message in refusal.causes[field]


@pytest.mark.parametrize(
    "changes",
    [
        {"credentials": {"secretName": "b", "kind": "gateway"}},
        {"workspace": {"trustSettings": False}},
        {"workspace": {"git": {"url": "https://host/b", "ref": "x"}, "retain": True}},
        {"model": "opus", "permissionMode": "plan", "lifecycle": {"suspend": True}},
        {"resources": {"limits": {"memory": "8Gi"}}, "podTemplate": {"runtimeClassName": "gvisor"}},
        to(cidr="10.0.0.0/8"),
    ],
    ids=str,
)
def test_all_else_can_be_changed(sessions_http: SessionsHttp, changes: dict[str, Any]) -> None:
    sessions_http.create(ORIGINAL)
    assert Refusal.of(sessions_http.patch({"spec": changes})) is None
    spec = sessions_http.get()["spec"]
    for field, value in changes.items():
        assert spec[field] == (spec[field] | value if isinstance(value, dict) else value)
