"""Debian's PostgreSQL 15: TLS, passwords, and what is said where it does not work."""

from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from jelmore_api.migrations import migrate
from jelmore_local.external import database_probe
from tests.support.other_servers import OtherPostgres
from tests.support.tls_files import TlsFiles

_ONLY_TLS = "hostssl all all all scram-sha-256"


def url_of(port: int, password: str = OtherPostgres.password, **parameters: object) -> str:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    user = f"me:{quote(password, safe='')}" if password else "me"
    return f"postgresql://{user}@localhost:{port}/postgres?{query}"


async def ask(url: str) -> str | None:
    trouble = await database_probe(url).ask()
    if trouble is not None:
        assert trouble.lasting
    return trouble.text if trouble else None


async def test_its_tables_are_made_and_the_password_is_looked_at(postgres_15: OtherPostgres, tmp_path: Path) -> None:
    with postgres_15.serving() as port:
        assert await ask(url_of(port)) is None
        await migrate(url_of(port))
        connection = await asyncpg.connect(url_of(port))
        assert await connection.fetchval("SELECT to_regclass('events')::text") == "events"
        await connection.close()
        assert "refuses the password" in str(await ask(url_of(port, "wrong")))
        passfile = tmp_path / "pgpass"
        passfile.write_text(f"localhost:{port}:*:me:{OtherPostgres.password}\n")
        passfile.chmod(0o600)
        assert await ask(url_of(port, "", passfile=passfile)) is None
        assert "the file of passfile" in str(await ask(url_of(port, "", passfile="/nowhere")))
        assert "does not have the database" in str(await ask(url_of(port).replace("/postgres?", "/nothing?")))
        assert "does not speak TLS" in str(await ask(url_of(port, sslmode="require")))


async def test_tls(postgres_15: OtherPostgres, tls_files: TlsFiles) -> None:
    server = tls_files.server
    with postgres_15.serving(
        "ssl=on", access=_ONLY_TLS, ssl_cert_file=server.certificate, ssl_key_file=server.key
    ) as port:
        verified = url_of(port, sslmode="verify-full", sslrootcert=tls_files.ca)
        assert await ask(verified) is None
        await migrate(verified)
        assert "without TLS" in str(await ask(url_of(port, sslmode="disable")))
        told = str(await ask(url_of(port, sslmode="verify-full", sslrootcert=tls_files.other_ca)))
        assert "authority that is not trusted here: name the file" in told
        assert "not trusted" in str(await ask(url_of(port, sslmode="verify-full", sslrootcert="system")))
        assert "the file of sslrootcert" in str(await ask(url_of(port, sslmode="verify-full", sslrootcert="/nowhere")))


@pytest.mark.parametrize(
    ("server", "told"), [("expired", "has a certificate that has expired"), ("elsewhere", "for another name")]
)
async def test_a_certificate_that_will_not_do(
    postgres_15: OtherPostgres, tls_files: TlsFiles, server: str, told: str
) -> None:
    signed = getattr(tls_files, server)
    with postgres_15.serving("ssl=on", ssl_cert_file=signed.certificate, ssl_key_file=signed.key) as port:
        assert told in str(await ask(url_of(port, sslmode="verify-full", sslrootcert=tls_files.ca)))


async def test_a_client_certificate(postgres_15: OtherPostgres, tls_files: TlsFiles) -> None:
    server, client = tls_files.server, tls_files.client
    with postgres_15.serving(
        "ssl=on",
        access=f"{_ONLY_TLS} clientcert=verify-ca",
        ssl_cert_file=server.certificate,
        ssl_key_file=server.key,
        ssl_ca_file=tls_files.ca,
    ) as port:
        trusted = url_of(port, sslmode="verify-full", sslrootcert=tls_files.ca)
        assert await ask(f"{trusted}&sslcert={client.certificate}&sslkey={client.key}") is None
        assert "sslcert=FILE" in str(await ask(trusted))


async def test_one_that_is_too_old(postgres_14: OtherPostgres) -> None:
    with postgres_14.serving() as port:
        told = str(await ask(url_of(port)))
    assert told.startswith("is 14.")
    assert "but Jelmore needs 15 or later" in told
    assert told.endswith("upgrade it")
