"""The Secret of the servers that the chart brings for trying out: the bus' keys and passwords, made in the cluster."""

import secrets

from jelmore_operator.identity.keys import Identity
from jelmore_operator.kube.api import SECRETS, Api, ApiError, Document

_PASSWORD_BYTES = 24


def secret(namespace: str, name: str) -> Document:
    """New keys and passwords. The passwords stand in URLs as they are."""
    identity = Identity.generate()
    postgres, valkey = (secrets.token_hex(_PASSWORD_BYTES) for _ in range(2))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "jelmore"}},
        "type": "Opaque",
        # With other keys the log would seem to be empty, with another password the database would let nobody in.
        "immutable": True,
        "stringData": {
            "nats-keys.json": identity.text(),
            "core.creds": identity.core_credentials(),
            "accounts.conf": identity.server_config(),
            "postgres-password": postgres,
            "valkey-password": valkey,
            "valkey-password.conf": f"requirepass {valkey}\n",
        },
    }


async def make_once(api: Api, namespace: str, name: str) -> bool:
    """Whether it was made now; one that is there stays as it is, whatever is in it. Raises ApiError, TimeoutError."""
    try:
        await api.create(SECRETS, secret(namespace, name))
    except ApiError as error:
        if error.reason == "AlreadyExists":
            return False
        raise
    return True
