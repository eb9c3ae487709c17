#!/usr/bin/env bash
# Jelmore in a Kubernetes of its own on this machine, by kind, with all that it needs in it: `make kind`. For trying out.
#
#   scripts/kind.sh up      makes what is missing and brings the rest up to date with this checkout; run it any number of times
#   scripts/kind.sh down    removes the cluster, with every session in it
#
# Credentials: ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, the first of them that is set; without any, the scripted demo
# model runs in the cluster. JELMORE_KIND_NAME names the cluster (default: jelmore), JELMORE_KIND_VALUES a file with more
# values for the chart.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cluster=${JELMORE_KIND_NAME:-jelmore}
# Of operator, API and servers; of sessions.
namespace=jelmore
sessions=team-a

say() { printf '\n%s\n' "$*" >&2; }
kube() { kubectl --context "kind-$cluster" "$@"; }
# Makes or changes an object that comes on standard input.
apply() { kube apply --server-side --force-conflicts --filename - "$@" >&2; }

needs() { # PROGRAM WHERE
    command -v "$1" >/dev/null && return
    echo "make kind needs $1: $2" >&2
    exit 1
}

there() { kind get clusters 2>/dev/null | grep --quiet --line-regexp --fixed-strings "$cluster"; }

# Builds an image and puts it on the cluster's node, under a tag that changes with it, so that a new one is taken up.
image() { # NAME DOCKERFILE
    local id
    docker build --quiet --tag "$1:kind" --file "$2" . >&2
    id=$(docker image inspect --format '{{.Id}}' "$1:kind")
    id=${id#sha256:}
    tag=${id:0:12}
    docker tag "$1:kind" "$1:$tag"
    kind load docker-image --name "$cluster" "$1:$tag" >&2
}

# kind's own class makes hostPath volumes, which do not take on a pod's group; the same provisioner makes local ones.
storage() {
    kube annotate storageclass standard storageclass.kubernetes.io/is-default-class=false --overwrite >&2
    apply <<'END'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true", defaultVolumeType: local}
provisioner: rancher.io/local-path
reclaimPolicy: Delete
volumeBindingMode: WaitForFirstConsumer
END
}

namespaces() {
    local name
    for name in "$namespace" "$sessions"; do
        apply <<END
apiVersion: v1
kind: Namespace
metadata:
  name: $name
  labels: {pod-security.kubernetes.io/enforce: restricted}
END
    done
}

# The Secret of sessions that name none. Its value goes through pipes alone: no command line has it.
credentials() { # KEY, and the value on standard input
    kube --namespace "$sessions" create secret generic claude-credentials --from-file="$1=/dev/stdin" \
        --dry-run=client --output=json | apply
}

demo() {
    kube --namespace "$namespace" create configmap demo-model --from-file=local/jelmore_local/demo \
        --dry-run=client --output=json | apply
    sed "s|IMAGE|jelmore:$1|" scripts/kind/demo-model.yaml | apply --namespace "$namespace"
}

up() {
    needs docker "https://docs.docker.com/engine/install"
    needs kind "https://kind.sigs.k8s.io"
    needs kubectl "https://kubernetes.io/docs/tasks/tools"
    needs helm "https://helm.sh/docs/intro/install"
    docker version >/dev/null 2>&1 || { echo "Docker does not answer: start it, or ask for the right to use it." >&2; exit 1; }

    if ! there; then
        say "Making the cluster $cluster ..."
        kind create cluster --name "$cluster" --wait 180s >&2
    fi
    say "Building the images ..."
    image jelmore api/Dockerfile
    local jelmore=$tag
    image jelmore-session session-image/Dockerfile
    local session=$tag

    say "Installing ..."
    storage
    namespaces
    local model kind=oauthToken
    if [ -n "${ANTHROPIC_API_KEY:-}" ]; then
        kind=apiKey model="Claude, with your ANTHROPIC_API_KEY"
        printf %s "$ANTHROPIC_API_KEY" | credentials apiKey
    elif [ -n "${CLAUDE_CODE_OAUTH_TOKEN:-}" ]; then
        model="Claude, with your CLAUDE_CODE_OAUTH_TOKEN"
        printf %s "$CLAUDE_CODE_OAUTH_TOKEN" | credentials oauthToken
    else
        model="the scripted demo model (set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, and run this again, for Claude)"
        printf %s demo | credentials oauthToken
        demo "$jelmore"
    fi
    values "$jelmore" "$session" "$kind" | helm --kube-context "kind-$cluster" upgrade --install jelmore helm/jelmore \
        --namespace "$namespace" --values - ${JELMORE_KIND_VALUES:+--values "$JELMORE_KIND_VALUES"} --wait --timeout 10m >&2
    helm --kube-context "kind-$cluster" test jelmore --namespace "$namespace" --logs >&2
    usage "$model"
}

values() { # TAG SESSION_TAG KIND
    cat <<END
namespaces: [$sessions]
bundled: {enabled: true}
image: {repository: jelmore, tag: "$1"}
sessionImage: {repository: jelmore-session, tag: "$2"}
credentials: {kind: $3}
END
    [ -n "${ANTHROPIC_API_KEY:-}${CLAUDE_CODE_OAUTH_TOKEN:-}" ] || cat <<END
anthropic: {baseUrl: "http://demo-model.$namespace.svc:8000"}
networkPolicy:
  model:
    to:
      - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $namespace}}
        podSelector: {matchLabels: {app.kubernetes.io/name: demo-model}}
    port: 8000
END
}

usage() { # MODEL
    local kubectl="kubectl --context kind-$cluster"
    cat <<END

Jelmore runs in the cluster $cluster. Sessions talk to $1.

A session, as a resource:

  $kubectl -n $sessions create -f crds/examples/minimal.yaml
  $kubectl -n $sessions get claudesessions --watch

Over HTTP, as an account of your own:

  $kubectl -n $sessions create serviceaccount me
  $kubectl -n $sessions create rolebinding me --clusterrole=jelmore-user --serviceaccount=$sessions:me
  $kubectl -n $namespace port-forward service/jelmore-api 8000:80 &
  TOKEN=\$($kubectl -n $sessions create token me --audience=jelmore)
  curl -H "Authorization: Bearer \$TOKEN" -H "Content-Type: application/json" \\
    -d '{"query": "Write hello.py, and run it"}' http://localhost:8000/api/v1/session

Run make kind again after a change of the code, and make kind-down to remove it all.
END
}

down() {
    needs kind "https://kind.sigs.k8s.io"
    if there; then
        kind delete cluster --name "$cluster"
    else
        echo "There is no cluster $cluster."
    fi
}

case ${1:-} in
    up | down) "$1" ;;
    *)
        echo "usage: scripts/kind.sh up|down" >&2
        exit 2
        ;;
esac
