"""What the chart renders, with several files of values: the objects, and what it says of values that do not fit."""

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.images.build import LAST
from tests.support.helm import CHART, ROOT, Helm, HelmError, Rendered, documents, only, values_of
from tests.support.kind import Machine

FILES = tuple(sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml")))
SNAPSHOTS = ROOT / "tests" / "data" / "chart"
#: Generated, and long.
ELSEWHERE = {"CustomResourceDefinition"}


def pods(rendered: list[Rendered]) -> Iterator[dict[str, Any]]:
    """Of everything that runs."""
    for document in rendered:
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["spec"]["template"]["spec"]
        elif document["kind"] == "Pod":
            yield document["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


@pytest.mark.parametrize("file", FILES)
def test_lint(helm: Helm, file: str) -> None:
    said = helm.run("lint", "--strict", CHART, "--values", values_of(file))
    assert "0 chart(s) failed" in said
    assert "WARNING" not in said


def test_lint_without_values(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", CHART)


@pytest.mark.parametrize("file", FILES)
def test_what_the_values_render(helm: Helm, file: str) -> None:
    """After a wanted change: JELMORE_WRITE_SNAPSHOTS=1 make e2e ARGS=tests/e2e/test_chart_rendered.py, and look at the
    difference.
    """
    rendered = [document for document in helm.render(file) if document["kind"] not in ELSEWHERE]
    snapshot = SNAPSHOTS / f"{file}.yaml"
    if os.environ.get("JELMORE_WRITE_SNAPSHOTS") == "1":
        snapshot.write_text(yaml.safe_dump_all(rendered, width=120))
    assert rendered == documents(snapshot.read_text())


@pytest.mark.parametrize("file", FILES)
def test_pods_comply_with_the_restricted_standard(helm: Helm, file: str) -> None:
    for pod in pods(helm.render(file)):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


def test_a_role_in_each_namespace_and_nothing_in_the_cluster_but_reviews(helm: Helm) -> None:
    rendered = helm.render("several-namespaces")
    wide = {document["metadata"]["name"] for document in rendered if document["kind"] == "ClusterRoleBinding"}
    assert wide == {"jelmore-api-reviews"}
    for part in ("operator", "api"):
        for namespace in ("team-a", "team-b"):
            only(rendered, "Role", f"jelmore-{part}", namespace)
            binding = only(rendered, "RoleBinding", f"jelmore-{part}", namespace)
            account = {"kind": "ServiceAccount", "name": f"jelmore-{part}", "namespace": "jelmore"}
            assert binding["subjects"] == [account]


def test_without_namespaces_the_same_rights_everywhere(helm: Helm) -> None:
    wide, listed = helm.render("cluster-wide"), helm.render("minimal")
    for part in ("operator", "api"):
        everywhere = only(wide, "ClusterRole", f"jelmore-{part}", None)
        assert everywhere["rules"] == only(listed, "Role", f"jelmore-{part}", "team-a")["rules"]
        binding = only(wide, "ClusterRoleBinding", f"jelmore-{part}", None)
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": f"jelmore-{part}",
        }


@pytest.mark.parametrize("file", FILES)
def test_no_rule_names_everything(helm: Helm, file: str) -> None:
    for document in helm.render(file):
        for rule in document.get("rules", ()):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_a_password_in_a_url_is_in_the_secret_alone(helm: Helm) -> None:
    rendered = helm.render("cluster-wide")
    holding = [document for document in rendered if "a-password" in yaml.safe_dump(document)]
    assert holding == [only(rendered, "Secret", "jelmore-servers")]


def test_the_operator_alone_gets_the_private_keys(helm: Helm) -> None:
    for pod in pods(helm.render("minimal")):
        (secret,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)
        keys = {item["key"] for item in secret["items"]}
        operator = pod["containers"][0]["name"] == "operator"
        assert keys == ({"core.creds", "nats-keys.json"} if operator else {"core.creds"})


def test_shared_credentials_instead_of_keys(helm: Helm) -> None:
    pod = only(helm.render("cluster-wide"), "Deployment", "jelmore-operator")["spec"]["template"]["spec"]
    given = environment(pod["containers"][0])
    assert given["JELMORE_NATS_SHARED_CREDENTIALS"] == "/etc/jelmore/nats/session.creds"
    assert "JELMORE_NATS_IDENTITY" not in given
    (secret,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    assert secret["items"] == [{"key": "jelmore", "path": "core.creds"}, {"key": "sessions", "path": "session.creds"}]


def test_the_definition_is_kept_when_the_release_goes(helm: Helm) -> None:
    definition = only(helm.render("minimal"), "CustomResourceDefinition", "claudesessions.jelmore.dev", None)
    assert definition["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    (source,) = documents((CHART / "files" / "claudesessions.yaml").read_text())
    assert definition["spec"] == source["spec"]


def test_sessions_pods_reach_what_is_named_and_nothing_else(helm: Helm) -> None:
    rendered = helm.render("several-namespaces")
    for namespace in ("team-a", "team-b"):
        spec = only(rendered, "NetworkPolicy", "jelmore-sessions", namespace)["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert spec["ingress"] == []
        assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "jelmore-session"
        # A rule without peers would mean everybody.
        assert all(rule["to"] and rule["ports"] for rule in spec["egress"])
        assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53, 4223, 443, 22}


def test_what_sessions_may_choose_reaches_the_operator(helm: Helm) -> None:
    def given(file: str) -> dict[str, str]:
        pod = only(helm.render(file), "Deployment", "jelmore-operator")["spec"]["template"]["spec"]
        return {name: value for name, value in environment(pod["containers"][0]).items() if "_EGRESS_" in name}

    assert given("everything") == {
        "JELMORE_EGRESS_ALLOWED_CIDRS": "10.0.0.0/8,2001:db8::/32",
        "JELMORE_EGRESS_DENIED_CIDRS": "10.96.0.0/12",
        "JELMORE_EGRESS_ALLOWED_NAMESPACES": "tools,databases",
    }
    assert given("minimal") == {}


def test_retention_reaches_the_api(helm: Helm) -> None:
    for file, log, stream in ("minimal", "720h", "168h"), ("everything", "8760h", "0s"):
        pod = only(helm.render(file), "Deployment", "jelmore-api")["spec"]["template"]["spec"]
        api = environment(pod["containers"][0])
        assert (api["JELMORE_LOG_RETENTION"], api["JELMORE_STREAM_RETENTION"]) == (log, stream)


def test_no_peer_means_no_rule_rather_than_everybody(helm: Helm) -> None:
    values = {"networkPolicy": {"dns": [], "model": {"to": []}}}
    spec = only(helm.render("minimal", values), "NetworkPolicy", "jelmore-sessions", "team-a")["spec"]
    assert [rule["ports"] for rule in spec["egress"]] == [[{"protocol": "TCP", "port": 4222}]]


def test_a_part_of_two_replicas_can_be_drained_one_by_one(helm: Helm) -> None:
    rendered = helm.render("minimal")
    for part in ("operator", "api"):
        budget = only(rendered, "PodDisruptionBudget", f"jelmore-{part}")["spec"]
        deployment = only(rendered, "Deployment", f"jelmore-{part}")["spec"]
        assert budget["maxUnavailable"] == 1 < deployment["replicas"]
        assert budget["selector"] == deployment["selector"]
        off = {part: {"podDisruptionBudget": {"enabled": False}}}
        assert len([each for each in helm.render("minimal", off) if each["kind"] == "PodDisruptionBudget"]) == 1


def test_pods_are_spread_over_nodes_or_as_the_values_say(helm: Helm) -> None:
    own = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    for given, keys in ([], ["kubernetes.io/hostname"]), (own, ["zone"]):
        rendered = helm.render("minimal", {"api": {"topologySpreadConstraints": given}})
        deployment = only(rendered, "Deployment", "jelmore-api")["spec"]
        found = deployment["template"]["spec"]["topologySpreadConstraints"]
        assert [constraint["topologyKey"] for constraint in found] == keys
        assert [constraint["labelSelector"] for constraint in found] == [deployment["selector"]]


def test_what_is_given_to_a_part_reaches_its_container(helm: Helm) -> None:
    rendered = helm.render("everything")
    for part in ("operator", "api"):
        template = only(rendered, "Deployment", f"jelmore-{part}")["spec"]["template"]
        assert template["metadata"]["annotations"]["example.com/note"] == "one"
        assert template["metadata"]["labels"]["example.com/team"] == "platform"
        pod, container = template["spec"], template["spec"]["containers"][0]
        assert pod["priorityClassName"] == "platform-critical"
        assert environment(container)["HTTPS_PROXY"] == "http://proxy.example.com:3128"
        assert container["envFrom"] == [{"configMapRef": {"name": "of-the-house", "optional": True}}]
        assert {"name": "authorities", "mountPath": "/etc/ssl/private-ca", "readOnly": True} in container[
            "volumeMounts"
        ]
        assert {"name": "authorities", "configMap": {"name": "authorities"}} in pod["volumes"]
        account = only(rendered, "ServiceAccount", f"jelmore-{part}")
        assert account["metadata"]["annotations"] == {"example.com/role": "jelmore"}
    operator = only(rendered, "Deployment", "jelmore-operator")["spec"]["template"]["spec"]["containers"][0]
    assert environment(operator)["JELMORE_IMAGE_PULL_SECRETS"] == "registry,mirror"


def test_what_leads_to_the_api(helm: Helm) -> None:
    rendered = helm.render("everything")
    service = only(rendered, "Service", "jelmore-api")
    (rule,) = only(rendered, "Ingress", "jelmore-api")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    # Figures and health need no token.
    assert path["path"] == "/api"
    assert rule["host"] == "jelmore.example.com"
    assert (backend["name"], backend["port"]["name"]) == ("jelmore-api", service["spec"]["ports"][0]["name"])
    (route,) = only(rendered, "HTTPRoute", "jelmore-api")["spec"]["rules"]
    assert route["matches"] == [{"path": {"type": "PathPrefix", "value": "/api"}}]
    assert route["backendRefs"] == [{"name": "jelmore-api", "port": service["spec"]["ports"][0]["port"]}]
    assert route["timeouts"] == {"request": "0s"}


def test_metrics_are_read_where_they_are_served(helm: Helm) -> None:
    rendered = helm.render("everything")
    service = only(rendered, "Service", "jelmore-api")
    monitor = only(rendered, "ServiceMonitor", "jelmore-api")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "15s"}]
    pods = only(rendered, "PodMonitor", "jelmore-operator")["spec"]
    template = only(rendered, "Deployment", "jelmore-operator")["spec"]["template"]
    assert pods["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert pods["podMetricsEndpoints"][0]["port"] in {
        port["name"] for port in template["spec"]["containers"][0]["ports"]
    }
    reading = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    policy = only(rendered, "NetworkPolicy", "jelmore-operator")["spec"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": "metrics"}], "from": reading}]
    assert reading[0] in only(rendered, "NetworkPolicy", "jelmore-api")["spec"]["ingress"][0]["from"]
    environment_ = environment(template["spec"]["containers"][0])
    assert (
        int(environment_["JELMORE_OPERATOR_METRICS_PORT"])
        == template["spec"]["containers"][0]["ports"][0]["containerPort"]
    )


def test_sessions_figures_are_read_by_those_who_are_named(helm: Helm) -> None:
    policy = ("NetworkPolicy", "jelmore-sessions", "team-a")
    rendered = helm.render("everything")
    (rule,) = only(rendered, *policy)["spec"]["ingress"]
    reading = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert rule == {"ports": [{"protocol": "TCP", "port": 8378}], "from": reading}
    monitor = only(rendered, "PodMonitor", "jelmore-sessions")["spec"]
    assert monitor["namespaceSelector"] == {"matchNames": ["team-a"]}
    assert monitor["selector"] == only(rendered, *policy)["spec"]["podSelector"]
    # Nobody named is nobody, for a pod where Claude is.
    assert only(helm.render("everything", {"networkPolicy": {"metricsFrom": []}}), *policy)["spec"]["ingress"] == []


def test_bundled_servers_are_found_by_their_names(helm: Helm) -> None:
    rendered = helm.render("bundled")
    services = {f"{it['metadata']['name']}.jelmore.svc" for it in rendered if it["kind"] == "Service"}
    operator, api = (
        environment(only(rendered, "Deployment", f"jelmore-{part}")["spec"]["template"]["spec"]["containers"][0])
        for part in ("operator", "api")
    )
    assert operator["JELMORE_NATS_URL"] == operator["JELMORE_SESSION_NATS_URL"] == api["JELMORE_NATS_URL"]
    urls = [api[f"JELMORE_{server}_URL"] for server in ("NATS", "DATABASE", "REDIS")]
    hosts = {urlsplit(url.replace("$(", "").replace(")", "")).hostname for url in urls}
    assert hosts < services
    # A variable is put in only where it stands before.
    names = list(api)
    assert names.index("POSTGRES_PASSWORD") < names.index("JELMORE_DATABASE_URL")
    assert names.index("VALKEY_PASSWORD") < names.index("JELMORE_REDIS_URL")


def test_bundled_servers_let_in_whom_they_serve(helm: Helm) -> None:
    rendered = helm.render("bundled")
    for server in ("nats", "postgres", "valkey"):
        policy = only(rendered, "NetworkPolicy", f"jelmore-{server}")["spec"]
        assert policy["podSelector"] == only(rendered, "StatefulSet", f"jelmore-{server}")["spec"]["selector"]
        assert policy["egress"] == []
        (rule,) = policy["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": server}]
        api = only(rendered, "Deployment", "jelmore-api")["spec"]["selector"]
        assert rule.get("from") == (None if server == "nats" else [{"podSelector": api}])
    egress = only(rendered, "NetworkPolicy", "jelmore-sessions", "team-a")["spec"]["egress"]
    nats = only(rendered, "StatefulSet", "jelmore-nats")["spec"]["selector"]["matchLabels"]
    assert nats in [peer.get("podSelector", {}).get("matchLabels") for rule in egress for peer in rule["to"]]


def test_keys_of_bundled_servers_are_made_by_a_hook_that_may_do_nothing_else(helm: Helm) -> None:
    rendered = helm.render("bundled")
    for kind in ("ServiceAccount", "Role", "RoleBinding", "Job"):
        annotations = only(rendered, kind, "jelmore-bundled")["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    rules = only(rendered, "Role", "jelmore-bundled")["rules"]
    assert rules == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
    # No key or password is in what Helm keeps.
    assert not [document for document in rendered if document["kind"] == "Secret"]


@pytest.mark.parametrize("credentials", [{}, {"ANTHROPIC_API_KEY": "canary"}])
def test_what_make_kind_installs(helm: Helm, kind_machine: Machine, credentials: dict[str, str]) -> None:
    assert kind_machine.run("up", **credentials).returncode == 0
    arguments = ("template", "jelmore", CHART, "--namespace", "jelmore")
    rendered = documents(helm.run(*arguments, values=kind_machine.values()))
    operator = only(rendered, "Deployment", "jelmore-operator")["spec"]["template"]["spec"]["containers"][0]
    assert environment(operator)["JELMORE_SESSION_IMAGE"] == "jelmore-session:0123456789ab"
    assert environment(operator)["JELMORE_CREDENTIALS_KIND"] == ("apiKey" if credentials else "oauthToken")
    only(rendered, "StatefulSet", "jelmore-nats")


def test_two_releases_of_one_name_do_not_meet(helm: Helm) -> None:
    def wide(namespace: str) -> set[tuple[str, str | None, str]]:
        arguments = ("template", "jelmore", CHART, "--namespace", namespace, "--values", values_of("minimal"))
        text = helm.run(*arguments, values={"crd": {"install": False}})
        metadata = [(document["kind"], document["metadata"]) for document in documents(text)]
        return {(kind, meta.get("namespace"), meta["name"]) for kind, meta in metadata}

    assert not wide("one") & wide("two")


def test_files_for_tls_reach_whoever_speaks_to_nats(helm: Helm) -> None:
    rendered = helm.render("everything")
    pods = [
        *(only(rendered, "Deployment", f"jelmore-{part}")["spec"]["template"]["spec"] for part in ("operator", "api")),
        only(rendered, "Pod", "jelmore-test")["spec"],
    ]
    for pod in pods:
        given = environment(pod["containers"][0])
        paths = {given[f"JELMORE_NATS_{name}"] for name in ("CA", "CERTIFICATE", "KEY")}
        (secret,) = (volume["secret"] for volume in pod["volumes"] if volume["name"] == "nats")
        mounted = {f"/etc/jelmore/nats/{item['path']}": item["key"] for item in secret["items"]}
        assert {mounted[path] for path in paths} == {"ca.crt", "client.crt", "client.key"}


#: What an API server refuses to change, or what would leave pods behind.
FIXED = {
    "Deployment": ("selector",),
    "Service": ("type",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "NetworkPolicy": ("podSelector",),
}


@pytest.mark.parametrize("file", ["minimal", "cluster-wide", "several-namespaces"])
def test_what_cannot_change_is_as_in_the_last_release(helm: Helm, file: str) -> None:
    last = ROOT / "tests" / "data" / "releases" / LAST / "chart.tgz"
    before = documents(helm.run("template", "jelmore", last, "--namespace", "jelmore", "--values", values_of(file)))
    now = helm.render(file)
    for old in before:
        metadata = old["metadata"]
        new = only(now, old["kind"], metadata["name"], metadata.get("namespace"))
        for name in FIXED.get(old["kind"], ()):
            before_, now_ = ({**document, **document.get("spec", {})}[name] for document in (old, new))
            assert now_ == before_


NOT_FITTING: dict[str, tuple[str, object, str]] = {
    "no NATS": ("minimal", {"nats": {"url": ""}}, "nats.url is missing"),
    "no database": ("minimal", {"database": {"existingSecret": ""}}, "database is missing. Set database.url"),
    "no redis": ("minimal", {"redis": {"existingSecret": ""}}, "redis is missing. Set redis.url"),
    "two databases": (
        "minimal",
        {"database": {"url": "postgresql://h/n"}},
        "database.url and database.existingSecret are both set",
    ),
    "policies for nowhere": ("minimal", {"namespaces": []}, "networkPolicy.enabled needs to know where sessions live"),
    "policies without NATS": ("minimal", {"networkPolicy": {"nats": {"to": []}}}, "networkPolicy.nats.to is missing"),
    "two lists of namespaces": (
        "minimal",
        {"networkPolicy": {"namespaces": ["team-a"]}},
        "namespaces and networkPolicy.namespaces are both set",
    ),
    "user ids past the last": (
        "minimal",
        {"sessions": {"uidBase": 2147000000, "uidCount": 1000000}},
        "sessions.uidBase",
    ),
    "an unknown name": ("minimal", {"operatr": {}}, "operatr"),
    "an unknown name within": ("minimal", {"nats": {"urls": []}}, "urls"),
    "a password in NATS' URL": ("minimal", {"nats": {"url": "nats://me:secret@h:4222"}}, "/nats/url"),
    "another kind of credentials": ("minimal", {"credentials": {"kind": "password"}}, "/credentials/kind"),
    "one namespace twice": ("minimal", {"namespaces": ["a", "a"]}, "/namespaces"),
    "a server of one's own beside the bundled": (
        "bundled",
        {"database": {"existingSecret": "mine"}},
        "database.existingSecret is set, and bundled.enabled brings a server of its own",
    ),
    "a shared credential for the bundled NATS": ("bundled", {"nats": {"sessions": "shared"}}, "nats.sessions is"),
    "an address for the bundled NATS": (
        "bundled",
        {"networkPolicy": {"nats": {"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}}},
        "networkPolicy.nats.to is set",
    ),
    "a certificate without its key": (
        "minimal",
        {"nats": {"certificateKey": "client.crt"}},
        "nats.certificateKey and nats.keyKey go together",
    ),
    "egress without policies": (
        "minimal",
        {"networkPolicy": {"enabled": False}, "sessions": {"egress": {"allowedCidrs": ["10.0.0.0/8"]}}},
        "sessions.egress lets sessions reach more than networkPolicy does, and networkPolicy.enabled is false",
    ),
    "egress where no policies are": (
        "minimal",
        {
            "namespaces": [],
            "networkPolicy": {"namespaces": ["team-a"]},
            "sessions": {"egress": {"allowedNamespaces": ["tools"]}},
        },
        "sessions.egress needs namespaces",
    ),
    "egress to the release": (
        "minimal",
        {"sessions": {"egress": {"allowedNamespaces": ["jelmore"]}}},
        "sessions.egress.allowedNamespaces names jelmore, the release's own namespace",
    ),
    "egress to a host": (
        "minimal",
        {"sessions": {"egress": {"allowedCidrs": ["example.com"]}}},
        "/sessions/egress/allowedCidrs/0",
    ),
    "retention in days": ("minimal", {"api": {"retention": {"log": "30d"}}}, "/api/retention/log"),
    "alerts without monitors": (
        "minimal",
        {"metrics": {"alerts": {"enabled": True}}},
        "metrics.alerts.enabled needs metrics.monitors.enabled",
    ),
    "an ingress without hosts": ("minimal", {"api": {"ingress": {"enabled": True}}}, "api.ingress.hosts is missing"),
    "a route without a gateway": (
        "minimal",
        {"api": {"httpRoute": {"enabled": True}}},
        "api.httpRoute.parentRefs is missing",
    ),
    "a variable of the chart's own": (
        "minimal",
        {"operator": {"extraEnv": [{"name": "JELMORE_NATS_URL", "value": "nats://h"}]}},
        "operator.extraEnv names JELMORE_NATS_URL, which the chart makes itself",
    ),
    "a volume of the chart's own": (
        "minimal",
        {"api": {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}},
        "api.extraVolumes names tmp",
    ),
    "a label of the chart's own": (
        "minimal",
        {"api": {"podLabels": {"app.kubernetes.io/name": "mine"}}},
        "api.podLabels sets app.kubernetes.io/name",
    ),
    "no disruption at all": (
        "minimal",
        {"api": {"podDisruptionBudget": {"maxUnavailable": 0}}},
        "/api/podDisruptionBudget/maxUnavailable",
    ),
    "no replica": ("minimal", {"api": {"replicas": 0}}, "/api/replicas"),
}


@pytest.mark.parametrize("case", NOT_FITTING)
def test_values_that_do_not_fit_are_refused_with_a_sentence(helm: Helm, case: str) -> None:
    file, values, sentence = NOT_FITTING[case]
    with pytest.raises(HelmError, match=re.escape(sentence)):
        helm.render(file, values)


@pytest.mark.parametrize("kind", ["oauthToken", "apiKey", "gateway"])
def test_the_notes_say_which_secret_to_make(helm: Helm, kind: str) -> None:
    arguments = ("install", "--dry-run=client", "jelmore", CHART, "--namespace", "jelmore")
    said = helm.run(*arguments, "--values", values_of("minimal"), values={"credentials": {"kind": kind}})
    notes = said.partition("NOTES:")[2]
    keys = {"oauthToken": ["oauthToken"], "apiKey": ["apiKey"], "gateway": ["token", "baseUrl"]}[kind]
    command = notes[notes.index("kubectl -n team-a create secret generic claude-credentials") :].split("\n\n")[0]
    assert re.findall(r"--from-(?:file|literal)=(\w+)", command) == keys
    assert "--clusterrole=jelmore-user" in notes
    assert "WARNING" not in notes


def test_the_notes_say_what_bundled_servers_are_for(helm: Helm) -> None:
    arguments = ("install", "--dry-run=client", "jelmore", CHART, "--namespace", "jelmore")
    notes = helm.run(*arguments, "--values", values_of("bundled")).partition("NOTES:")[2]
    assert re.findall(r"WARNING: (\S+)", notes) == ["bundled.enabled"]
    assert "not for production" in notes
    for name in ("secret jelmore-bundled", "data-jelmore-nats-0", "data-jelmore-postgres-0"):
        assert name in notes


def test_the_notes_warn_of_what_was_switched_off(helm: Helm) -> None:
    arguments = ("install", "--dry-run=client", "jelmore", CHART, "--namespace", "jelmore")
    notes = helm.run(*arguments, "--values", values_of("cluster-wide")).partition("NOTES:")[2]
    assert re.findall(r"WARNING: (\S+)", notes) == ["nats.sessions", "networkPolicy.enabled", "admissionPolicy.enabled"]


@pytest.mark.parametrize(
    ("egress", "warned"),
    [
        ({"allowedCidrs": ["192.0.2.7/32"]}, None),
        ({"allowedCidrs": ["192.0.2.7/32", "10.0.0.0/8", "0.0.0.0/0"]}, "choose within 10.0.0.0/8 0.0.0.0/0."),
        ({"allowedCidrs": ["10.0.0.0/8"], "deniedCidrs": ["10.96.0.0/12"]}, None),
    ],
)
def test_the_notes_warn_of_wide_ranges_that_nothing_is_left_out_of(
    helm: Helm, egress: dict[str, list[str]], warned: str | None
) -> None:
    arguments = ("install", "--dry-run=client", "jelmore", CHART, "--namespace", "jelmore")
    said = helm.run(*arguments, "--values", values_of("minimal"), values={"sessions": {"egress": egress}})
    notes = said.partition("NOTES:")[2]
    assert (warned in notes) if warned else ("WARNING" not in notes)
