"""Who may do what on the bus: the keys of NATS' decentralised authentication, and the JWTs signed with them.

Two accounts. CORE holds JetStream; API and operator are its users. SESSIONS has no JetStream: it imports the few
services that an agent needs. With one account for all, plain permissions did not keep sessions apart: reply subjects
are not checked against them, so that a session could have the server store its text in another's log. The server sees
no private key.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import nkeys

from jelmore_contract import bus, subjects
from jelmore_contract.subjects import STREAM, SessionKey, session_key
from jelmore_operator.secret_files import write_secret

type Claims = Mapping[str, Any]

_NEXT = bus.next_subject(STREAM, "*")
#: What SESSIONS imports from CORE. Commands are not among them: agents get theirs through `MSG.NEXT` alone.
_SERVICES = (
    subjects.ALL_EVENTS,
    subjects.ALL_BLOBS,
    subjects.ALL_REPORTS,
    subjects.ALL_LIVE,
    f"$JS.ACK.{STREAM}.>",
    bus.direct_get_subject(STREAM, ">"),
    _NEXT,
)
# -1 is "without limit" and 0 "none" in NATS' account JWTs; what is left out counts as 0.
_UNLIMITED = {
    **dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1),
    **dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1),
    "wildcards": True,
}
_WITHOUT_JETSTREAM = {**_UNLIMITED, "mem_storage": 0, "disk_storage": 0, "streams": 0, "consumer": 0}


@dataclass(frozen=True, repr=False)
class Identity:
    """The private keys of one installation. Whoever holds them can be anyone on its bus: only who reconciles does."""

    operator: nkeys.KeyPair
    system: nkeys.KeyPair
    core: nkeys.KeyPair
    sessions: nkeys.KeyPair

    @classmethod
    def generate(cls) -> Self:
        account = nkeys.PREFIX_BYTE_ACCOUNT
        return cls(_new_key(nkeys.PREFIX_BYTE_OPERATOR), _new_key(account), _new_key(account), _new_key(account))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises OSError; ValueError, naming the file, if that is no identity."""
        try:
            seeds = json.loads(path.read_bytes())
            return cls(**{field.name: _load_key(seeds[field.name].encode()) for field in fields(cls)})
        except (ValueError, KeyError, TypeError, AttributeError, nkeys.NkeysError) as error:
            # The cause is left out: it could quote a seed.
            raise ValueError(f"{path} holds no NATS keys of Jelmore ({type(error).__name__})") from None

    def text(self) -> str:
        """The seeds, as `load` reads them from a file."""
        seeds = {field.name: getattr(self, field.name).seed.decode() for field in fields(self)}
        return json.dumps(seeds, indent=2) + "\n"

    def save(self, path: Path) -> None:
        """Writes the seeds, mode 0600. Raises OSError."""
        write_secret(path, self.text())

    def server_config(self) -> str:
        """The part of nats-server's configuration that makes it take this identity's users, and nobody else."""
        exports = [_export(subject) for subject in _SERVICES]
        imports = [_import(subject, _public(self.core)) for subject in _SERVICES]
        accounts: dict[nkeys.KeyPair, Claims] = {
            self.system: {"limits": _WITHOUT_JETSTREAM},
            self.core: {"limits": _UNLIMITED, "exports": exports},
            self.sessions: {"limits": _WITHOUT_JETSTREAM, "imports": imports},
        }
        names = {self.system: "SYS", self.core: "CORE", self.sessions: "SESSIONS"}
        operator = {"type": "operator", "system_account": _public(self.system)}
        preload = "\n".join(
            f"  {_public(key)}: {_mint(_public(key), names[key], {'type': 'account', **claims}, self.operator)}"
            for key, claims in accounts.items()
        )
        return (
            f"operator: {_mint(_public(self.operator), 'jelmore', operator, self.operator)}\n"
            f"system_account: {_public(self.system)}\n"
            f"resolver: MEMORY\n"
            f"resolver_preload: {{\n{preload}\n}}\n"
        )

    def core_credentials(self) -> str:
        """The text of a credentials file for API and operator: everything in CORE."""
        return _credentials("core", {}, self.core)

    def subscriber_credentials(self, name: str, namespaces: Iterable[str]) -> str:
        """The text of a credentials file for a service of somebody else's that hears the events of these namespaces
        (without any: of all) as they are published. It may publish nothing at all: with a reply subject of its choice,
        any request to JetStream could make the server write into a log. Raises ValueError for no name of a namespace.
        """
        hears = [subjects.namespace_events(namespace) for namespace in namespaces] or [subjects.ALL_EVENTS]
        permissions = {"pub": {"deny": [">"]}, "sub": {"allow": hears}}
        return _credentials(f"subscriber {name}", permissions, self.core)

    def session_credentials(self, key: SessionKey) -> str:
        """The text of a credentials file for one session's agent: its own subjects and inbox, nothing else.

        Raises ValueError for a key that is none: a wildcard in it would open others' subjects.
        """
        session_key(*key)
        publish = [
            subjects.session_events(key),
            f"jelmore.blob.{key.namespace}.{key.session_id}.>",
            subjects.report_subject(key),
            subjects.live_subject(key),
            bus.next_subject(STREAM, bus.consumer_name(key)),
            f"$JS.ACK.{STREAM}.{bus.consumer_name(key)}.>",
            bus.direct_get_subject(STREAM, subjects.session_events(key)),
            bus.direct_get_subject(STREAM, subjects.report_subject(key)),
        ]
        inbox = f"{bus.inbox_prefix(key)}.>"
        return _credentials(
            f"session {key.session_id}", {"pub": {"allow": publish}, "sub": {"allow": [inbox]}}, self.sessions
        )


def _export(subject: str) -> Claims:
    export = {"name": subject, "subject": subject, "type": "service"}
    # A pull gets many messages to one request.
    return {**export, "response_type": "Stream"} if subject == _NEXT else export


def _import(subject: str, account: str) -> Claims:
    return {"name": subject, "subject": subject, "account": account, "type": "service", "to": subject}


def _credentials(name: str, permissions: Claims, account: nkeys.KeyPair) -> str:
    user = _new_key(nkeys.PREFIX_BYTE_USER)
    claims = {"type": "user", "subs": -1, "data": -1, "payload": -1, **permissions}
    return (
        "-----BEGIN NATS USER JWT-----\n"
        f"{_mint(_public(user), name, claims, account)}\n"
        "------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )


def _new_key(prefix: int) -> nkeys.KeyPair:
    return nkeys.from_seed(nkeys.encode_seed(os.urandom(32), prefix))


def _load_key(seed: bytes) -> nkeys.KeyPair:
    prefix, raw = nkeys.decode_seed(seed)
    # nkeys does not look at the checksum itself, and a damaged seed is a valid seed of someone else.
    if nkeys.encode_seed(raw, prefix) != seed:
        raise nkeys.ErrInvalidSeed
    return nkeys.from_seed(seed)


def _public(key: nkeys.KeyPair) -> str:
    public: str = key.public_key.decode()
    return public


def _mint(subject: str, name: str, claims: Claims, signer: nkeys.KeyPair) -> str:
    """A JWT as NATS has them, version 2: https://github.com/nats-io/jwt (claims.go)."""
    body: dict[str, Any] = {
        "sub": subject,
        "name": name,
        "iss": _public(signer),
        "iat": int(time.time()),
        "nats": {"version": 2, **claims},
    }
    body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().rstrip("=")
    signed = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(body)}"
    return f"{signed}.{_encode(signer.sign(signed.encode()))}"


def _part(value: Claims) -> str:
    return _encode(json.dumps(value).encode())


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
