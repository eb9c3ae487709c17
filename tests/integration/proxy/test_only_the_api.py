"""What must not pass the key proxy, byte by byte: another path, another host, two requests in the guise of one."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.key_proxy import KEY, KeyProxy, Proxied

_LIMIT = 20  # seconds
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class RawUpstream:
    """Keeps what it gets as it comes, and answers each block of headers. `port` is a port of 127.0.0.1."""

    port: int = 0
    got: bytearray = field(default_factory=bytearray)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while data := await reader.read(65_536):
            self.got += data
            if b"\r\n\r\n" in data:
                writer.write(_ANSWER)
        writer.close()

    @property
    def heads(self) -> list[bytes]:
        """First lines of requests, wherever they stand in it."""
        return re.findall(rb"[A-Z]+ \S+ HTTP/1\.1", self.got)


@asynccontextmanager
async def raw_upstream() -> AsyncIterator[RawUpstream]:
    upstream = RawUpstream()
    server = await asyncio.start_server(upstream.attend, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    yield upstream
    server.close()
    for writer in upstream.writers:
        writer.close()
    await server.wait_closed()


async def say(proxy: KeyProxy, said: bytes) -> bytes:
    """All that the proxy answers until it hangs up, or says nothing more for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(said)
    answer = bytearray()
    try:
        while data := await asyncio.wait_for(reader.read(65_536), _LIMIT if not answer else 0.2):
            answer += data
    except TimeoutError:
        assert answer
    writer.close()
    return bytes(answer)


OTHERS = [
    "GET /v1/messages",
    "PUT /v1/messages",
    "POST /v1/messages/",
    "POST /v1/messages;x",
    "POST /v1/messages%2Fbatches",
    "POST /v1/messages/batches",
    "POST /v1/messages/../organizations",
    "POST /v1/%6dessages",
    "POST /v1//messages",
    "POST //v1/messages",
    "POST /v1/files",
    "POST /v1/complete",
    "GET /v1/models",
    "GET /v1/organizations",
    "GET /api/hello",
    "GET /metrics",
    "GET /",
    "TRACE /v1/messages",
    "POST http://elsewhere.example/v1/messages",
]
#: What is no request at all, or one that only a proxy of another kind would get.
NONE = ["OPTIONS *", "POST @elsewhere.example/v1/messages", "CONNECT elsewhere.example:443", "CONNECT /v1/messages"]


async def test_no_other_request_goes_upstream(proxied: Proxied) -> None:
    async with raw_upstream() as upstream, proxied("apiKey", f"http://127.0.0.1:{upstream.port}") as proxy:
        answers = {}
        for line in (*OTHERS, *NONE):
            answers[line] = await say(proxy, f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        statuses = {line: answer.split(b" ", 2)[1] for line, answer in answers.items()}
        refused = [line for line, status in statuses.items() if status == b"403"]
        assert refused[: len(OTHERS)] == OTHERS
        assert {statuses[line] for line in NONE} <= {b"400", b"403"}
        assert (await proxy.figures())["refused_total"] == len(refused)
    assert all(b'"type": "permission_error"' in answers[line] for line in refused)
    assert upstream.got == b""
    assert KEY.encode() not in b"".join(answers.values())


async def test_host_upgrade_and_credentials_are_not_the_client_s_to_choose(proxied: Proxied) -> None:
    said = (
        b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: elsewhere.example\r\nX-Forwarded-Host: elsewhere.example\r\n"
        b"Connection: Upgrade, X-Api-Key\r\nUpgrade: websocket\r\nX-Api-Key: mine\r\nAuthorization: Bearer mine\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )
    async with raw_upstream() as upstream, proxied("apiKey", f"http://127.0.0.1:{upstream.port}") as proxy:
        assert (await say(proxy, said)).startswith(b"HTTP/1.1 200")
        head, _, body = bytes(upstream.got).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    assert f"host: 127.0.0.1:{upstream.port}".encode() in head.lower()
    assert f"x-api-key: {KEY}".encode() in head
    assert names.count(b"host") == names.count(b"x-api-key") == 1
    assert not {b"upgrade", b"authorization", b"connection"} & set(names)
    assert body == b"{}"


_SECOND = b"GET /v1/organizations HTTP/1.1\r\nHost: x\r\nX-Api-Key: mine\r\n\r\n"
_CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
SMUGGLED = {
    "both lengths": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _SECOND,
    "both lengths, turned round": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + _CHUNKS + _SECOND,
    "two lengths": b"Content-Length: 2\r\nContent-Length: 90\r\n\r\n{}" + _SECOND,
    "a length with a sign": b"Content-Length: +2\r\n\r\n{}" + _SECOND,
    "a length in two": b"Content-Length: 2, 2\r\n\r\n{}" + _SECOND,
    "an unknown coding": b"Transfer-Encoding: xchunked\r\n\r\n" + _CHUNKS + _SECOND,
    "two codings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + _CHUNKS + _SECOND,
    "a name with a space": b"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}" + _SECOND,
    "a folded line": b"X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}" + _SECOND,
    "a bare line feed": b"X-A: b\nX-Api-Key: mine\r\nContent-Length: 2\r\n\r\n{}" + _SECOND,
    "a bare carriage return": b"X-A: b\rX-Api-Key: mine\r\nContent-Length: 2\r\n\r\n{}" + _SECOND,
    "a zero byte": b"X-A: b\0c\r\nContent-Length: 2\r\n\r\n{}" + _SECOND,
    "a chunk that is too long": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n" + _SECOND,
}


async def test_one_request_never_hides_another(proxied: Proxied) -> None:
    async with raw_upstream() as upstream, proxied("apiKey", f"http://127.0.0.1:{upstream.port}") as proxy:
        for case, said in SMUGGLED.items():
            await say(proxy, b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n" + said)
            still = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
            assert b" 200 " in await say(proxy, still), case
            assert set(upstream.heads) == {b"POST /v1/messages HTTP/1.1"}, case
            assert b"organizations" not in upstream.got, case
            assert b"mine" not in upstream.got, case
