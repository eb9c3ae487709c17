"""`python -m jelmore_operator.identity FOLDER`: keys for a NATS of one's own, what its server must be told, and the
Secret that the chart wants.

Made once; run again, it writes the same keys' files anew and makes no other keys. Nothing secret is printed.
"""

import argparse
import json
import sys
from pathlib import Path

from jelmore_operator.identity.keys import Identity
from jelmore_operator.secret_files import write_secret

SECRET = "jelmore-nats"  # noqa: S105 - its name

_NEXT = """\
{folder}/nats-keys.json   the private keys: keep them, whoever has them can be anyone on this bus
{folder}/core.creds       a user for the operator and the API
{folder}/accounts.conf    for the server: `include accounts.conf` in its configuration, beside JetStream, which needs
                          `sync_interval: always`, or three replicas (NATS 2.12 or later)
{folder}/secret.yaml      kubectl -n {namespace} apply -f {folder}/secret.yaml
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m jelmore_operator.identity", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; made where it is not there")
    parser.add_argument("--namespace", default="jelmore", help="of the Secret: the chart's (default: jelmore)")
    options = parser.parse_args(arguments)
    try:
        write_files(options.folder, options.namespace)
    except (OSError, ValueError) as error:
        print(f"The keys could not be made: {error}", file=sys.stderr)
        return 1
    print(_NEXT.format(folder=options.folder, namespace=options.namespace), end="")
    return 0


def write_files(folder: Path, namespace: str) -> None:
    """Raises OSError; ValueError where `nats-keys.json` is there and holds no keys."""
    keys = folder / "nats-keys.json"
    identity = Identity.load(keys) if keys.exists() else Identity.generate()
    if not keys.exists():
        identity.save(keys)
    credentials = identity.core_credentials()
    write_secret(folder / "core.creds", credentials)
    # The server's part holds no private key.
    (folder / "accounts.conf").write_text(identity.server_config())
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "type": "Opaque",
        "stringData": {"nats-keys.json": keys.read_text(), "core.creds": credentials},
    }
    # JSON is YAML.
    write_secret(folder / "secret.yaml", json.dumps(secret, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
