"""Which NATS is used, as whom, and as whom the sessions: the one that is started here, or the user's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jelmore_bus import Access, AccessError, Tls
from jelmore_bus.access import login, read
from jelmore_local.servers import Endpoints
from jelmore_local.servers.errors import StartError
from jelmore_operator.identity import Identity
from jelmore_operator.secret_files import write_secret

_MINTED = "external-core.creds"


@dataclass(frozen=True)
class BusSetup:
    """access: API's and supervisor's own. identity: makes each session a user of its own; without it `shared` is the
    text of a file of credentials for all sessions, "" for a server without users.
    """

    access: Access
    identity: Identity | None = None
    shared: str = field(default="", repr=False)

    @property
    def users(self) -> bool:
        """Whether sessions have anything to log in with."""
        return self.identity is not None or bool(self.shared)

    def settings(self) -> dict[str, str]:
        """For the API: environment variables."""
        tls = self.access.tls
        return {
            "JELMORE_NATS_URL": self.access.url,
            "JELMORE_NATS_CREDENTIALS": self.access.credentials,
            "JELMORE_NATS_CA": tls.ca,
            "JELMORE_NATS_CERTIFICATE": tls.certificate,
            "JELMORE_NATS_KEY": tls.key,
        }

    def document(self) -> dict[str, str]:
        """For endpoints.json: where the bus is, and the files that are needed for it. Raises AccessError."""
        document = {"url": self.access.url}
        if self.access.credentials:
            kind = "nkey" if "nkeys_seed" in login(Path(self.access.credentials)) else "credentials"
            document[kind] = self.access.credentials
        tls = self.access.tls
        files = {"ca": tls.ca, "certificate": tls.certificate, "key": tls.key}
        return document | {name: path for name, path in files.items() if path}


def own_bus(endpoints: Endpoints) -> BusSetup:
    """Of the server that was started here."""
    access = Access(endpoints.nats_url, str(endpoints.nats_credentials))
    return BusSetup(access, Identity.load(endpoints.nats_identity))


def external_bus(environment: Mapping[str, str], home: Path) -> BusSetup:
    """Of the server that JELMORE_NATS_URL names. Raises StartError, OSError."""
    given = {name: environment.get(f"JELMORE_NATS_{name}", "") for name in _SETTINGS}
    if given["IDENTITY"] and given["SHARED_CREDENTIALS"]:
        raise StartError(
            "JELMORE_NATS_IDENTITY and JELMORE_NATS_SHARED_CREDENTIALS are both set: unset one of them. With the first"
            " each session is a user of its own on NATS, with the second all are the same."
        )
    identity = _identity(given["IDENTITY"])
    credentials = given["CREDENTIALS"]
    if identity is not None and not credentials:
        minted = home / "secrets" / _MINTED
        write_secret(minted, identity.core_credentials())
        credentials = str(minted)
    access = Access(given["URL"], credentials, Tls(given["CA"], given["CERTIFICATE"], given["KEY"]))
    try:
        access.options()
        shared = read(Path(given["SHARED_CREDENTIALS"])) if given["SHARED_CREDENTIALS"] else ""
        if shared:
            login(Path(given["SHARED_CREDENTIALS"]))
    except AccessError as error:
        raise StartError(str(error)) from None
    return BusSetup(access, identity, shared)


_SETTINGS = ("URL", "CREDENTIALS", "CA", "CERTIFICATE", "KEY", "IDENTITY", "SHARED_CREDENTIALS")


def _identity(path: str) -> Identity | None:
    if not path:
        return None
    try:
        return Identity.load(Path(path))
    except OSError as error:
        raise StartError(
            f"JELMORE_NATS_IDENTITY: {path} cannot be read ({error.strerror}): correct the path."
        ) from None
    except ValueError as error:
        raise StartError(
            f"JELMORE_NATS_IDENTITY: {error}: `python -m jelmore_operator.identity FOLDER` makes them."
        ) from None
