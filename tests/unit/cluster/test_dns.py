"""The test cluster's name server: what it answers, byte by byte."""

import struct

import pytest

from tests.cluster.dns import answer

SERVICES = {("api", "team-a"): "10.96.0.7"}


def asked(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def found(name: str, kind: int = 1) -> tuple[int, bytes]:
    """The answer's code, and the address in it."""
    query = asked(name, kind)
    reply = answer(query, lambda *service: SERVICES.get(service))
    number, flags, questions, answers, _, _ = struct.unpack_from("!6H", reply)
    assert (number, flags & 0xFFF0, questions) == (4711, 0x8580, 1)
    assert reply[12 : len(query)] == query[12:]
    assert answers == (1 if len(reply) > len(query) else 0)
    return flags & 15, reply[len(query) + 12 :]


def test_a_service_has_an_address() -> None:
    assert found("api.team-a.svc.cluster.local") == (0, bytes([10, 96, 0, 7]))
    assert found("API.team-a.svc.cluster.local") == (0, bytes([10, 96, 0, 7]))


def test_and_no_other_kind_of_it() -> None:
    assert found("api.team-a.svc.cluster.local", kind=28) == (0, b"")


@pytest.mark.parametrize(
    "name", ["api.team-b.svc.cluster.local", "api.team-a.svc", "team-a.svc.cluster.local", "example.com"]
)
def test_nothing_else_is_there(name: str) -> None:
    assert found(name) == (3, b"")


def test_what_is_no_question() -> None:
    with pytest.raises((IndexError, struct.error)):
        answer(b"nonsense", lambda *_: None)
    with pytest.raises(IndexError):
        answer(asked("api")[:14], lambda *_: None)
