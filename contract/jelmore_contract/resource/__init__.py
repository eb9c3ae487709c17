"""The session resource: `ClaudeSession`, spec and status, with a default for every field (design section 3).

The one source of the REST schemas, of the custom resource definition and of what reconciles: camelCase in the
resource, snake_case in REST, by one alias generator. Everything is bounded, since unbounded lists and strings are
refused by the cost limit of CEL rules.
"""

from jelmore_contract.resource.egress import CIDR_PATTERN, Destination, Egress, Network, network
from jelmore_contract.resource.fields import ContractModel, Duration, Name, ObjectName, Quantity, Rule, amount, seconds
from jelmore_contract.resource.git import SSH_URL, URL_SCHEMA, Commits, Git, local_path
from jelmore_contract.resource.pod import (
    Credentials,
    CredentialsKind,
    PodTemplate,
    Resources,
    Storage,
    Toleration,
)
from jelmore_contract.resource.session import API_VERSION, DEFAULT_NAMESPACE, KIND, RETRY_AT, ClaudeSession, Metadata
from jelmore_contract.resource.spec import (
    Approvals,
    Budget,
    Lifecycle,
    OnInterrupted,
    PermissionMode,
    SessionSpec,
    Workspace,
)
from jelmore_contract.resource.status import (
    STALLED,
    Blocked,
    Condition,
    GitStatus,
    SessionStatus,
    UsageStatus,
    WaitingForStatus,
)
from jelmore_contract.resource.told import HIDDEN, told_spec

__all__ = [
    "API_VERSION",
    "CIDR_PATTERN",
    "DEFAULT_NAMESPACE",
    "HIDDEN",
    "KIND",
    "RETRY_AT",
    "SSH_URL",
    "STALLED",
    "URL_SCHEMA",
    "Approvals",
    "Blocked",
    "Budget",
    "ClaudeSession",
    "Commits",
    "Condition",
    "ContractModel",
    "Credentials",
    "CredentialsKind",
    "Destination",
    "Duration",
    "Egress",
    "Git",
    "GitStatus",
    "Lifecycle",
    "Metadata",
    "Name",
    "Network",
    "ObjectName",
    "OnInterrupted",
    "PermissionMode",
    "PodTemplate",
    "Quantity",
    "Resources",
    "Rule",
    "SessionSpec",
    "SessionStatus",
    "Storage",
    "Toleration",
    "UsageStatus",
    "WaitingForStatus",
    "Workspace",
    "amount",
    "local_path",
    "network",
    "seconds",
    "told_spec",
]
