"""`python -m jelmore_operator.identity FOLDER`: keys for a NATS of one's own, what its server must be told, and the
Secret that the chart wants. Made once; run again, it writes the same keys' files anew and makes no other keys.

`… FOLDER --subscriber NAME [--namespace NAMESPACE]…`: a credentials file, signed with the keys in FOLDER, for a service
that hears the events of these namespaces (without any: of all) and may do nothing else.

`… --in-cluster SECRET --namespace NAMESPACE`: keys and passwords for the servers that the chart brings for trying out,
as a Secret of the cluster that this runs in. One that is there stays as it is.

Nothing secret is printed.
"""

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path

from jelmore_operator.identity.keys import Identity
from jelmore_operator.secret_files import write_secret

SECRET = "jelmore-nats"  # noqa: S105 - its name

_SUBSCRIBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_NEXT = """\
{folder}/nats-keys.json   the private keys: keep them, whoever has them can be anyone on this bus
{folder}/core.creds       a user for the operator and the API
{folder}/accounts.conf    for the server: `include accounts.conf` in its configuration, beside JetStream, which needs
                          `sync_interval: always`, or three replicas (NATS 2.12 or later)
{folder}/secret.yaml      kubectl -n {namespace} apply -f {folder}/secret.yaml
"""


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    namespaces: list[str] = options.namespace or []
    if (options.folder is None) == (options.in_cluster is None):
        parser.error("name a FOLDER, or a Secret with --in-cluster")
    if options.subscriber is None and len(namespaces) > 1:
        parser.error("several namespaces are for --subscriber")
    namespace = namespaces[0] if namespaces else "jelmore"
    try:
        if options.in_cluster is not None:
            asyncio.run(_in_cluster(namespace, options.in_cluster))
        elif options.subscriber is not None:
            _subscriber(options.folder, options.subscriber, namespaces)
        else:
            write_files(options.folder, namespace)
            print(_NEXT.format(folder=options.folder, namespace=namespace), end="")
    except (OSError, ValueError, TimeoutError) as error:
        print(f"The keys could not be made: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jelmore_operator.identity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="?", help="where the files are; made where it is not there")
    parser.add_argument(
        "--namespace",
        action="append",
        help="of the Secret: the chart's (default: jelmore); with --subscriber: whose events, one or more",
    )
    parser.add_argument("--subscriber", metavar="NAME", help="make FOLDER/NAME.creds, for a service of that name")
    parser.add_argument("--in-cluster", metavar="SECRET", help="make this Secret, where it is not there")
    return parser


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


def _subscriber(folder: Path, name: str, namespaces: list[str]) -> None:
    """Raises OSError, ValueError."""
    if not _SUBSCRIBER.fullmatch(name):
        raise ValueError(f"{name!r} names no file: take letters, digits, - and _")
    if name == "core":
        raise ValueError("core.creds is the operator's and the API's: take another name")
    keys = folder / "nats-keys.json"
    if not keys.exists():
        raise ValueError(f"{keys} is not there: name the folder with the keys that the server was set up with")
    write_secret(folder / f"{name}.creds", Identity.load(keys).subscriber_credentials(name, namespaces))
    whose = f"in {', '.join(namespaces)}" if namespaces else "in all namespaces"
    print(f"{folder}/{name}.creds   hears the events of sessions {whose}, and may do nothing else")


async def _in_cluster(namespace: str, name: str) -> None:
    """Raises ApiError, TimeoutError, ValueError."""
    # Only here: they cost a second to load.
    from kubernetes_asyncio.config import ConfigException

    from jelmore_operator.identity.bundled import make_once
    from jelmore_operator.kube.api import Api, connect

    try:
        client = await connect()
    except ConfigException:
        raise ValueError("there is no cluster: run it in one, or set KUBECONFIG") from None
    try:
        made = await make_once(Api(client), namespace, name)
    finally:
        await client.close()
    print(f"The Secret {name} was made." if made else f"The Secret {name} is there already, and stays as it is.")


if __name__ == "__main__":
    sys.exit(main())
