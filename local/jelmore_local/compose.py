"""`python -m jelmore_local.compose FOLDER`: what compose.yaml's containers need to know of each other, made once.

Below FOLDER, a folder for each container: a volume that this one writes and that one reads. Nothing secret stands in
compose.yaml, in an environment or in a list of processes. Run again, it keeps what is there.
"""

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from jelmore_local.servers.nats import LIMITS
from jelmore_operator.identity import Identity
from jelmore_operator.secret_files import write_secret

USER = "jelmore"
#: How long a token of the API's is, in bytes, where the user has chosen none.
_TOKEN = 24
_OPEN = 0o644
_UID = 10001  # of the image


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m jelmore_local.compose", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    try:
        make(folder, os.environ.get("JELMORE_TOKEN", ""))
    except (OSError, ValueError) as error:
        print(f"The containers' secrets could not be made: {error}.", file=sys.stderr)
        return 1
    return 0


def make(folder: Path, token: str = "") -> None:
    """token: the user's own for the API. Raises OSError; ValueError for what is damaged."""
    known = _known(folder / "jelmore" / "secrets.json")
    if token:
        known["token"] = token
        write_secret(folder / "jelmore" / "secrets.json", json.dumps(known))
    keys = folder / "jelmore" / "nats-keys.json"
    if not keys.exists():
        Identity.generate().save(keys)
    _for_servers(folder, known, Identity.load(keys))
    write_secret(folder / "jelmore" / "pgpass", f"postgres:5432:*:{USER}:{known['postgres']}\n")
    write_secret(folder / "jelmore" / "token", known["token"])
    write_secret(folder / "jelmore" / ".env", "".join(f"{name}={value}\n" for name, value in _settings(known).items()))
    if os.getuid() == 0:
        for path in (folder / "jelmore", *(folder / "jelmore").iterdir()):
            os.chown(path, _UID, _UID)


def _known(path: Path) -> dict[str, str]:
    """The passwords, made where there are none."""
    if path.exists():
        known: dict[str, str] = json.loads(path.read_bytes())
        return known
    known = {name: secrets.token_hex(_TOKEN) for name in ("postgres", "redis", "token")}
    write_secret(path, json.dumps(known))
    return known


def _for_servers(folder: Path, known: Mapping[str, str], identity: Identity) -> None:
    """Each reads its file as a user of its own: the volume is its only guard, and only that container has it."""
    redis = f'requirepass {known["redis"]}\nsave ""\nappendonly no\n'  # all in it can be rebuilt from PostgreSQL
    nats = (
        f"{identity.server_config()}"
        "http_port: 8222\n"
        f'jetstream {{\n  store_dir: "/data"\n  sync_interval: always\n{LIMITS}}}\n'
    )
    for path, text in (("postgres/password", known["postgres"]), ("redis/redis.conf", redis), ("nats/nats.conf", nats)):
        write_secret(folder / path, text)
        (folder / path).chmod(_OPEN)
        (folder / path).parent.chmod(0o755)


def _settings(known: Mapping[str, str]) -> dict[str, str]:
    """What `jelmore up` finds as `.env` in its working folder."""
    return {
        "JELMORE_TOKEN": known["token"],
        "JELMORE_NATS_URL": "nats://nats:4222",
        "JELMORE_NATS_IDENTITY": "/run/jelmore/nats-keys.json",
        "JELMORE_DATABASE_URL": f"postgresql://{USER}@postgres:5432/{USER}?passfile=/run/jelmore/pgpass",
        "JELMORE_REDIS_URL": f"redis://:{known['redis']}@redis:6379/0",
    }


if __name__ == "__main__":
    sys.exit(main())
