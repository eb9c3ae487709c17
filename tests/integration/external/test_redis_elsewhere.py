"""Debian's Redis 7: TLS, passwords, and what is said where it does not work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jelmore_local.external import redis_probe
from tests.support.other_servers import libraries
from tests.support.tls_files import Signed, TlsFiles

_PASSWORD = "p@ss/word"
_QUOTED = "p%40ss%2Fword"


@pytest.fixture
def redis_7(serve: Callable[..., int], debian: Path, tmp_path: Path) -> Callable[..., int]:
    """Starts one with more options, or with TLS alone, and returns its port."""

    def started(*options: str, tls: Signed | None = None, program: Path | None = None) -> int:
        def argv(port: int) -> list[str]:
            ports = ["--port", str(port)]
            if tls is not None:
                files = ["--tls-cert-file", str(tls.certificate), "--tls-key-file", str(tls.key)]
                ports = ["--port", "0", "--tls-port", str(port), *files]
            command = str(program or debian / "usr/bin/redis-server")
            return [command, "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path), *ports, *options]

        return serve(argv, env=libraries(debian))

    return started


async def ask(url: str) -> str | None:
    trouble = await redis_probe(url).ask()
    return trouble.text if trouble else None


async def test_a_password(redis_7: Callable[..., int]) -> None:
    port = redis_7("--requirepass", _PASSWORD)
    assert await ask(f"redis://:{_QUOTED}@127.0.0.1:{port}/0") is None
    for user in (":wrong@", ""):
        assert "refuses the password" in str(await ask(f"redis://{user}127.0.0.1:{port}/0"))


async def test_a_user_with_no_more_rights_than_it_needs(redis_7: Callable[..., int]) -> None:
    port = redis_7("--user", "me", "on", ">secret", "+@all", "-info", "~jelmore:*")
    assert await ask(f"redis://me:secret@127.0.0.1:{port}/0") is None


async def test_tls(redis_7: Callable[..., int], tls_files: TlsFiles) -> None:
    port = redis_7("--tls-auth-clients", "no", "--tls-ca-cert-file", str(tls_files.ca), tls=tls_files.server)
    assert await ask(f"rediss://localhost:{port}/0?ssl_ca_certs={tls_files.ca}") is None
    told = str(await ask(f"rediss://localhost:{port}/0?ssl_ca_certs={tls_files.other_ca}"))
    assert "authority that is not trusted here: name the file" in told
    assert "not trusted" in str(await ask(f"rediss://localhost:{port}/0"))
    assert "the file of ssl_ca_certs" in str(await ask(f"rediss://localhost:{port}/0?ssl_ca_certs=/nowhere"))


@pytest.mark.parametrize(
    ("server", "told"), [("expired", "has a certificate that has expired"), ("elsewhere", "for another name")]
)
async def test_a_certificate_that_will_not_do(
    redis_7: Callable[..., int], tls_files: TlsFiles, server: str, told: str
) -> None:
    authority = ("--tls-auth-clients", "no", "--tls-ca-cert-file", str(tls_files.ca))
    port = redis_7(*authority, tls=getattr(tls_files, server))
    assert told in str(await ask(f"rediss://localhost:{port}/0?ssl_ca_certs={tls_files.ca}"))


async def test_a_client_certificate(redis_7: Callable[..., int], tls_files: TlsFiles) -> None:
    port = redis_7("--tls-ca-cert-file", str(tls_files.ca), tls=tls_files.server)
    url = f"rediss://localhost:{port}/0?ssl_ca_certs={tls_files.ca}"
    client = tls_files.client
    assert await ask(f"{url}&ssl_certfile={client.certificate}&ssl_keyfile={client.key}") is None
    assert "ssl_certfile=FILE" in str(await ask(url))


async def test_tls_where_there_is_none(redis_7: Callable[..., int]) -> None:
    assert "redis:// where it has no TLS" in str(await ask(f"rediss://localhost:{redis_7()}/0"))


async def test_one_that_is_too_old(redis_7: Callable[..., int], older_servers: Path) -> None:
    port = redis_7(program=older_servers / "redis-server")
    told = str(await ask(f"redis://127.0.0.1:{port}/0"))
    assert told.startswith("is 6.2.")
    assert told.endswith("but Jelmore needs 7.0 or later: upgrade it")
