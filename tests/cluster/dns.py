"""The names of Services, for the node's pods: NAME.NAMESPACE.svc.cluster.local. Any other name is not there.

    python -m tests.cluster.dns STATE

Runs on the node. The API server is asked for each name, since nobody asks often.
"""

import ipaddress
import socket
import struct
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from tests.cluster.client import Client, Refused
from tests.cluster.layout import DOMAIN, NODE_IP, State

# The address of a Service by its name and namespace; None where there is none.
type Lookup = Callable[[str, str], str | None]

_HEADER = struct.Struct("!6H")
_ADDRESS, _INTERNET = 1, 1
_ANSWER = 0x8580  # an answer, with authority; recursion was wished for and is done
_NO_SUCH_NAME = 3
_TTL_S = 1


def answer(query: bytes, lookup: Lookup) -> bytes:
    """To one question, as RFC 1035 has it. Raises ValueError, IndexError, struct.error for what is none."""
    number, *_ = _HEADER.unpack_from(query)
    labels, end = _name(query)
    kind, _ = struct.unpack_from("!2H", query, end)
    found = _find(labels, lookup)
    records = b""
    if found is not None and kind == _ADDRESS:
        data = ipaddress.IPv4Address(found).packed
        # The name is a pointer to that of the question.
        records = struct.pack("!3HIH", 0xC000 | _HEADER.size, _ADDRESS, _INTERNET, _TTL_S, len(data)) + data
    flags = _ANSWER | (0 if found is not None else _NO_SUCH_NAME)
    head = _HEADER.pack(number, flags, 1, 1 if records else 0, 0, 0)
    return head + query[_HEADER.size : end + 4] + records


def _name(query: bytes) -> tuple[list[str], int]:
    """The labels of the question's name, and where it ends."""
    labels, at = [], _HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    return labels, at + 1


def _find(labels: list[str], lookup: Lookup) -> str | None:
    domain = ["svc", *DOMAIN.split(".")]
    if len(labels) != 2 + len(domain) or labels[2:] != domain:
        return None
    return lookup(labels[0], labels[1])


def _services(client: Client) -> Lookup:
    def lookup(name: str, namespace: str) -> str | None:
        try:
            service = client.request("GET", f"/api/v1/namespaces/{namespace}/services/{name}")
        except Refused as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        address: str = service["spec"]["clusterIP"]
        return address

    return lookup


def main(folder: Path) -> None:
    lookup = _services(Client(State(folder)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((NODE_IP, 53))
        while True:
            query, sender = server.recvfrom(512)
            try:
                reply = answer(query, lookup)
            except (ValueError, IndexError, struct.error, OSError, Refused) as error:
                print(f"no answer: {error}", file=sys.stderr, flush=True)  # it is asked again
                continue
            server.sendto(reply, sender)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
