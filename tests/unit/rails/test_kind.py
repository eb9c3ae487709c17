"""`make kind`: what it asks of docker, kind, kubectl and helm."""

import subprocess

import pytest

from tests.support.helm import ROOT
from tests.support.kind import Machine

CANARY = "sk-ant-canary"


def test_up_makes_all_of_it(kind_machine: Machine) -> None:
    done = kind_machine.run("up")
    assert done.returncode == 0, done.stderr
    said = [str(call) for call in kind_machine.calls()]
    assert "kind create cluster --name jelmore --wait 180s" in said
    for image, dockerfile in (("jelmore", "api/Dockerfile"), ("jelmore-session", "session-image/Dockerfile")):
        assert f"docker build --quiet --tag {image}:kind --file {dockerfile} ." in said
        assert f"kind load docker-image --name jelmore {image}:0123456789ab" in said
    assert said[-1].startswith("helm --kube-context kind-jelmore test jelmore")
    # Never another cluster's.
    assert all("kind-jelmore" in line for line in said if line.startswith(("kubectl", "helm")))
    values = kind_machine.values()
    assert values["bundled"] == {"enabled": True}
    assert values["image"] == {"repository": "jelmore", "tag": "0123456789ab"}
    kinds = {(document["kind"], document.get("metadata", {}).get("name")) for document in kind_machine.applied()}
    assert {("Namespace", "jelmore"), ("Namespace", "team-a"), ("StorageClass", "local")} <= kinds
    assert "port-forward service/jelmore-api" in done.stdout


def test_up_again_keeps_the_cluster(kind_machine: Machine) -> None:
    assert kind_machine.run("up").returncode == 0
    kind_machine.forget()
    assert kind_machine.run("up").returncode == 0
    said = [str(call) for call in kind_machine.calls()]
    assert not [line for line in said if line.startswith("kind create")]
    # Nothing that refuses what is there already.
    assert not [line for line in said if "kubectl" in line and " create " in line and "--dry-run=client" not in line]


@pytest.mark.parametrize(
    ("variable", "kind"), [("ANTHROPIC_API_KEY", "apiKey"), ("CLAUDE_CODE_OAUTH_TOKEN", "oauthToken")]
)
def test_credentials_go_through_pipes_alone(kind_machine: Machine, variable: str, kind: str) -> None:
    done = kind_machine.run("up", **{variable: CANARY})
    assert done.returncode == 0, done.stderr
    calls = kind_machine.calls()
    assert [call for call in calls if call.input == CANARY] == [
        call for call in calls if f"--from-file={kind}=/dev/stdin" in call.arguments
    ]
    assert CANARY not in "".join([done.stdout, done.stderr, *map(str, calls)])
    assert kind_machine.values()["credentials"] == {"kind": kind}
    assert "anthropic" not in kind_machine.values()
    assert not [call for call in calls if "demo-model" in call.input]


def test_without_credentials_the_demo_model_runs_in_the_cluster(kind_machine: Machine) -> None:
    done = kind_machine.run("up")
    assert "the scripted demo model" in done.stdout
    (service,) = (document for document in kind_machine.applied() if document["kind"] == "Service")
    (deployment,) = (document for document in kind_machine.applied() if document["kind"] == "Deployment")
    values = kind_machine.values()
    host, _, port = values["anthropic"]["baseUrl"].removeprefix("http://").partition(":")
    assert host == f"{service['metadata']['name']}.jelmore.svc"
    assert int(port) == service["spec"]["ports"][0]["port"] == values["networkPolicy"]["model"]["port"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert values["networkPolicy"]["model"]["to"][0]["podSelector"]["matchLabels"] == labels
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "jelmore:0123456789ab"


@pytest.mark.parametrize("missing", ["docker", "kind", "kubectl", "helm"])
def test_what_is_missing_is_named(kind_machine: Machine, missing: str) -> None:
    (kind_machine.folder / "bin" / missing).unlink()
    bare = kind_machine.folder / "bare"
    bare.mkdir()
    for name in ("bash", "dirname", "env"):
        (bare / name).symlink_to(f"/usr/bin/{name}")
    done = kind_machine.run("up", PATH=f"{kind_machine.folder / 'bin'}:{bare}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"make kind needs {missing}: https://")
    assert kind_machine.calls() == []


def test_down_removes_it_and_may_be_said_twice(kind_machine: Machine) -> None:
    assert kind_machine.run("up").returncode == 0
    kind_machine.forget()
    assert kind_machine.run("down").returncode == 0
    assert "kind delete cluster --name jelmore" in [str(call) for call in kind_machine.calls()]
    done = kind_machine.run("down")
    assert (done.returncode, done.stdout) == (0, "There is no cluster jelmore.\n")


def test_a_cluster_of_another_name(kind_machine: Machine) -> None:
    assert kind_machine.run("up", JELMORE_KIND_NAME="other").returncode == 0
    assert all("kind-other" in str(call) for call in kind_machine.calls() if call.program in ("kubectl", "helm"))


@pytest.mark.parametrize("arguments", [[], ["sideways"]])
def test_usage(arguments: list[str]) -> None:
    done = subprocess.run([ROOT / "scripts" / "kind.sh", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "usage: scripts/kind.sh up|down\n")
