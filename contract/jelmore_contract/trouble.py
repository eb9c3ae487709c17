"""Why a server cannot be used: the end of a sentence that begins with the server's name, and what to do. No secrets."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

# X509_V_ERR_... of OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAMES = 9, 10, (62, 63, 64)
#: In what OpenSSL calls an error: the other side has no TLS on that port.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH", "UNEXPECTED_MESSAGE", "HTTP_REQUEST")


@dataclass(frozen=True, slots=True)
class Trouble:
    """lasting: waiting alone will not end it; somebody has to change something."""

    text: str
    lasting: bool = True


class TlsRemedies(NamedTuple):
    """How a user names the file of the server's authority, and their own certificate and key."""

    authority: str
    certificate: str


class Unsuitable(Exception):
    """A server that answers and will not do. `str()` is a trouble's text."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from: libraries wrap what the system said."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def connection_trouble(error: BaseException, remedies: TlsRemedies) -> Trouble:
    """For what went wrong below a server's own protocol."""
    for cause in causes(error):
        if isinstance(cause, Unsuitable):
            return Trouble(str(cause))
        if isinstance(cause, ssl.SSLError):
            return _tls_trouble(cause, remedies)
        if (text := _away(cause)) is not None:
            return Trouble(text, lasting=False)
    return Trouble(f"cannot be reached ({type(error).__name__})", lasting=False)


def _away(error: BaseException) -> str | None:
    match error:
        case socket.gaierror():
            return "has a name that cannot be resolved: correct it, or the name service"
        case ConnectionRefusedError():
            return "refuses connections: start it, or correct its address"
        case FileNotFoundError():
            return "is not there: start it, or correct its address"
        case TimeoutError():
            return "does not answer: start it, or correct its address"
        case ConnectionError():
            return "closed the connection"
    return None


def _tls_trouble(error: ssl.SSLError, remedies: TlsRemedies) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(_certificate_trouble(error.verify_code, remedies))
    reason = (error.reason or str(error)).upper().replace(" ", "_")
    if any(word in reason for word in _NO_TLS):
        return Trouble("does not speak TLS there: correct the address, or switch TLS on in the server")
    if "ALERT" in reason:
        return Trouble(f"refuses the client's certificate, or wants one: {remedies.certificate}")
    return Trouble(f"does not agree on TLS ({reason.lower()})")


def _certificate_trouble(code: int, remedies: TlsRemedies) -> str:
    if code == _EXPIRED:
        return "has a certificate that has expired: renew it"
    if code == _NOT_YET_VALID:
        return "has a certificate that is not valid yet: correct the clocks, or the certificate"
    if code in _OTHER_NAMES:
        return "has a certificate for another name: use a name that stands in it, or give the server another one"
    return f"has a certificate of an authority that is not trusted here: {remedies.authority}"
