"""Which of a spec's fields go with where sessions run: processes of one machine, or pods of a cluster."""

from jelmore_api.errors import FieldError, Problem, invalid_field
from jelmore_api.sessions.workspaces import allowed_workspace
from jelmore_api.settings import Settings
from jelmore_contract.errors import ProblemType
from jelmore_contract.resource import Git, SessionSpec, local_path

_CLUSTER_ONLY = "is for sessions in a cluster: leave it out, this Jelmore runs them as processes of one machine"
_MACHINE_ONLY = "is for one machine: leave it out, a session of this Jelmore works on a volume of its own"

_LOCAL_URL = "is for one machine: a session of this Jelmore clones from a server, by https or ssh"


def fitting_spec(spec: SessionSpec, namespace: str, settings: Settings) -> SessionSpec:
    """The spec as it is stored. Raises Problem for fields that mean nothing here, and for a namespace not served."""
    check_fits(spec, settings)
    if settings.in_cluster:
        if settings.namespaces and namespace not in settings.namespaces:
            served = ", ".join(settings.namespaces)
            error = invalid_field(f"is not served by this Jelmore, which serves {served}", "namespace")
            raise Problem(ProblemType.INVALID_REQUEST, f"The namespace {namespace} {error.detail}.", errors=[error])
        return spec
    if spec.workspace.path is None:
        return spec
    path = allowed_workspace(spec.workspace.path, settings.workspace_roots, settings.home)
    return spec.model_copy(update={"workspace": spec.workspace.model_copy(update={"path": path})})


def _check_repository(git: Git, settings: Settings) -> None:
    """Raises Problem for a repository of this machine that is not below an allowed root."""
    path = local_path(git.url)
    if path is not None:
        allowed_workspace(path, settings.workspace_roots, settings.home, ("workspace", "git", "url"))


def check_fits(spec: SessionSpec, settings: Settings) -> None:
    """Raises Problem for fields that mean nothing where sessions run, or name what is not theirs."""
    errors = in_pods(spec) if settings.in_cluster else on_one_machine(spec)
    if errors:
        first = errors[0]
        where = (first.pointer or "").removeprefix("#/").replace("/", ".")
        more = f" (and {len(errors) - 1} more, see errors)" if errors[1:] else ""
        raise Problem(ProblemType.INVALID_REQUEST, f"{where} {first.detail}.{more}", errors=errors)
    if spec.workspace.git is not None:
        _check_repository(spec.workspace.git, settings)


def in_pods(spec: SessionSpec) -> list[FieldError]:
    """What of a spec means nothing in a cluster."""
    git = spec.workspace.git
    given = {
        ("path",): (spec.workspace.path is not None, _MACHINE_ONLY),
        ("git", "url"): (git is not None and local_path(git.url) is not None, _LOCAL_URL),
    }
    return [invalid_field(detail, "workspace", *path) for path, (is_given, detail) in given.items() if is_given]


def on_one_machine(spec: SessionSpec) -> list[FieldError]:
    """What of a spec means nothing on one machine."""
    plain = SessionSpec()
    given = {
        ("credentials",): spec.credentials != plain.credentials,
        ("workspace", "storage"): spec.workspace.storage != plain.workspace.storage,
        ("resources",): spec.resources != plain.resources,
        ("pod_template",): spec.pod_template != plain.pod_template,
        ("egress",): spec.egress != plain.egress,
    }
    return [invalid_field(_CLUSTER_ONLY, *path) for path, is_given in given.items() if is_given]
