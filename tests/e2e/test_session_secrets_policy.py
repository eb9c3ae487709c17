"""Whoever names a Secret in a session may read it: the chart's admission policy, with accounts of its own."""

import json
from collections.abc import Iterator

import pytest

from tests.support.cluster import Kubectl, KubectlFailed
from tests.support.helm import CHART, Helm, values_of
from tests.support.processes import wait_for

RELEASE = "jelmore"
POLICY = "templates/session-secrets-policy.yaml"


def session(**credentials: str) -> str:
    spec = {"credentials": credentials} if credentials else {}
    metadata = {"name": "s"}
    return json.dumps(
        {"apiVersion": "jelmore.dev/v1alpha1", "kind": "ClaudeSession", "metadata": metadata, "spec": spec}
    )


class Accounts:
    """Acts in one namespace as accounts of it."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl = kubectl
        self.namespace = namespace

    def grant(self, account: str, role: str, *what: str) -> None:
        self._kubectl("create", "role", role, "--namespace", self.namespace, *what)
        subject = f"--serviceaccount={self.namespace}:{account}"
        self._kubectl("create", "rolebinding", role, "--namespace", self.namespace, f"--role={role}", subject)

    def act(self, account: str, *arguments: str, input: str | None = None) -> str:
        user = f"--as=system:serviceaccount:{self.namespace}:{account}"
        return self._kubectl(*arguments, user, "--namespace", self.namespace, input=input)

    def create(self, account: str, document: str) -> str:
        return self.act(account, "create", "--filename=-", input=document)

    def patch(self, account: str, patch: object) -> str:
        return self.act(account, "patch", "cls", "s", "--type=merge", "--patch", json.dumps(patch))


@pytest.fixture
def accounts(session_crd: None, kubectl: Kubectl, kube_namespace: str, helm: Helm) -> Iterator[Accounts]:
    """`maker` may make and change sessions and has no right on Secrets; `operator` may patch them. The policy is that
    of a release in this namespace, and acts there only.
    """
    made = Accounts(kubectl, kube_namespace)
    made.grant("maker", "maker", "--verb=create,get,update,patch", "--resource=claudesessions")
    made.grant("operator", "operator", "--verb=get,patch", "--resource=claudesessions")
    made.grant(f"{RELEASE}-api", "api", "--verb=create,get,update,patch", "--resource=claudesessions")
    policy = helm.run(
        *("template", RELEASE, CHART, "--namespace", kube_namespace, "--show-only", POLICY),
        *("--values", values_of("minimal")),
        values={"namespaces": [kube_namespace]},
    )
    kubectl("apply", "--filename=-", input=policy)
    wait_for(lambda: refused(made, session(secretName="any", kind="apiKey")) is not None)
    yield made
    kubectl("delete", "--filename=-", input=policy)


def refused(accounts: Accounts, document: str, account: str = "maker") -> str | None:
    """Why the account cannot create this; None if it could."""
    try:
        accounts.act(account, "create", "--filename=-", "--dry-run=server", input=document)
    except KubectlFailed as error:
        return str(error)
    return None


def test_who_may_not_read_a_secret_may_not_name_it(accounts: Accounts) -> None:
    refusal = refused(accounts, session(secretName="prod-key", kind="apiKey"))
    assert refusal is not None
    assert (
        "spec.credentials.secretName: this session would use the Secret prod-key, which you may not read: "
        f"name one that you may, or ask for the right to get it in namespace {accounts.namespace}"
    ) in refusal


def test_who_may_read_it_may_name_it_and_no_other(accounts: Accounts) -> None:
    accounts.grant("maker", "reader", "--verb=get", "--resource=secrets", "--resource-name=team-key")
    wait_for(lambda: refused(accounts, session(secretName="team-key")) is None)
    accounts.create("maker", session(secretName="team-key"))
    assert refused(accounts, session(secretName="other-key")) is not None
    with pytest.raises(KubectlFailed, match="this session would use the Secret other-key"):
        accounts.patch("maker", {"spec": {"credentials": {"secretName": "other-key"}}})
    accounts.patch("maker", {"spec": {"model": "opus"}})


def test_a_session_without_credentials_of_its_own_needs_no_right(accounts: Accounts) -> None:
    accounts.create("maker", session())
    accounts.patch("maker", {"spec": {"model": "opus"}})
    with pytest.raises(KubectlFailed, match="this session would use the Secret prod-key"):
        accounts.patch("maker", {"spec": {"credentials": {"secretName": "prod-key"}}})


def test_what_a_session_with_a_secret_does_is_not_for_others_to_change(accounts: Accounts, kubectl: Kubectl) -> None:
    """Else they could have Claude use it for them."""
    kubectl("create", "--namespace", accounts.namespace, "--filename=-", input=session(secretName="prod-key"))
    with pytest.raises(KubectlFailed, match="this session would use the Secret prod-key"):
        accounts.patch("maker", {"spec": {"mcpServers": {"mine": {"command": "/tmp/x"}}}})


def test_the_operator_needs_no_right_on_secrets(accounts: Accounts, kubectl: Kubectl) -> None:
    kubectl("create", "--namespace", accounts.namespace, "--filename=-", input=session(secretName="prod-key"))
    finalizers = {"metadata": {"finalizers": ["jelmore.dev/session"]}}
    accounts.patch("operator", finalizers)
    accounts.patch("operator", {"metadata": {"finalizers": None}})


def test_the_api_answers_for_its_user(accounts: Accounts) -> None:
    assert refused(accounts, session(secretName="prod-key"), f"{RELEASE}-api") is None


def test_a_secret_for_git_is_asked_for_too(accounts: Accounts) -> None:
    def cloning(**git: str) -> str:
        document = json.loads(session())
        document["spec"] = {"workspace": {"git": {"url": "https://git.example.com/a", **git}}}
        return json.dumps(document)

    assert refused(accounts, cloning()) is None
    refusal = refused(accounts, cloning(secretName="deploy-key"))
    assert refusal is not None
    assert (
        "spec.workspace.git.secretName: this session would use the Secret deploy-key, which you may not read" in refusal
    )
    accounts.grant("maker", "git-reader", "--verb=get", "--resource=secrets", "--resource-name=deploy-key")
    wait_for(lambda: refused(accounts, cloning(secretName="deploy-key")) is None)
