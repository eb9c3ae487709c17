"""What went wrong with NATS, for a person."""

import nats.errors
import nats.js.errors

from jelmore_bus.access import AccessError
from jelmore_contract.bus import LEAST_NATS_VERSION
from jelmore_contract.trouble import TlsRemedies, Trouble, causes, connection_trouble

_REMEDIES = TlsRemedies(
    "set JELMORE_NATS_CA to the file of that authority's certificate",
    "set JELMORE_NATS_CERTIFICATE and JELMORE_NATS_KEY to one that it knows",
)
#: In nats-server's -ERR lines, written as they come.
_REFUSED = ("authorization violation", "user authentication expired", "authentication timeout", "account")


class TooOld(nats.errors.Error):
    """Without atomic publishing: such a server would store a batch message by message."""

    def __init__(self, version: str) -> None:
        least = ".".join(map(str, LEAST_NATS_VERSION))
        super().__init__(
            f"is {version or 'of an unknown version'}, but Jelmore needs {least} or later, which has atomic publishing:"
            " upgrade it"
        )


class WithoutTls(nats.errors.Error):
    """TLS was asked for, and the server has none. Nothing was sent to it."""


class ClientCertificate(nats.errors.Error):
    """The server wants one, or another than it was shown."""


def bus_trouble(error: BaseException) -> Trouble:
    for cause in causes(error):
        if isinstance(cause, AccessError):
            return Trouble(f"cannot be reached: {str(cause).removesuffix('.')}")
        if isinstance(cause, TooOld):
            return Trouble(str(cause))
        if isinstance(cause, WithoutTls):
            return Trouble("does not speak TLS: switch it on in the server, or write nats:// for tls://")
        if isinstance(cause, ClientCertificate):
            return Trouble(f"refuses the client's certificate, or wants one: {_REMEDIES.certificate}")
        if isinstance(cause, nats.js.errors.ServiceUnavailableError | nats.errors.NoRespondersError):
            return Trouble("has no JetStream for this account: switch it on in the server's configuration")
        if isinstance(cause, nats.errors.Error):
            said = str(cause).lower()
            if any(word in said for word in _REFUSED):
                return Trouble("refuses these credentials: correct JELMORE_NATS_CREDENTIALS, or user and password")
            if "tls" in said or "secure connection" in said:
                return Trouble("wants TLS: write tls:// for nats://")
    return connection_trouble(error, _REMEDIES)
