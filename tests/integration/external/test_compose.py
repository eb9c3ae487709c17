"""The files that compose.yaml's containers share, with real servers: these are told what the images would be."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml

from jelmore_local.compose import make
from tests.support.other_servers import OtherPostgres, libraries
from tests.support.ports import free_port
from tests.support.up import Up

ROOT = Path(__file__).resolve().parents[3]


def command_of(service: str) -> list[str]:
    found: list[str] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]["command"]
    return found


async def database(postgres: OtherPostgres, port: int, password: str) -> None:
    """As the image makes it from its environment."""
    connection = await asyncpg.connect(
        host="localhost", port=port, user="me", password=postgres.password, database="postgres"
    )
    await connection.execute(f"CREATE ROLE jelmore LOGIN PASSWORD '{password}'")
    await connection.execute("CREATE DATABASE jelmore OWNER jelmore")
    await connection.close()


async def test_all_of_it(
    up: Up, serve: Callable[..., int], debian: Path, postgres_15: OtherPostgres, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    make(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    make(folder)
    tokens = {path.name: path.read_bytes() for path in before if path.name in ("token", "password", "nats-keys.json")}
    assert {name: (folder / path).read_bytes() for path in before for name in [path.name] if name in tokens} == tokens

    def told(service: str) -> list[str]:
        """Its command, with the files where they are here."""
        return [part.replace("/run/jelmore", str(folder / service)) for part in command_of(service)]

    def nats(port: int) -> list[str]:
        configuration = folder / "nats" / "nats.conf"
        text = configuration.read_text().replace("8222", str(free_port()))
        configuration.write_text(text.replace('"/data"', f'"{tmp_path}/nats"'))
        options = ["-a", "127.0.0.1", "-p", str(port)]
        return [str(Path(sys.executable).with_name("nats-server")), *told("nats"), *options]

    def redis(port: int) -> list[str]:
        program, *arguments = told("redis")
        return [str(debian / "usr/bin" / program), *arguments, "--bind", "127.0.0.1", "--port", str(port)]

    ports = {"nats:4222": serve(nats), "redis:6379": serve(redis, env=libraries(debian), cwd=tmp_path)}
    with postgres_15.serving() as port:
        await database(postgres_15, port, (folder / "postgres" / "password").read_text())
        ports["postgres:5432"] = port
        jelmore = up.home.parent
        for name in (".env", "pgpass"):
            text = (folder / "jelmore" / name).read_text().replace("/run/jelmore", str(folder / "jelmore"))
            for host, here in ports.items():
                text = text.replace(host, f"localhost:{here}")
            (folder / "jelmore" / name).write_text(text)
        shutil.copy(folder / "jelmore" / ".env", jelmore / ".env")
        up.start()
        token = (folder / "jelmore" / "token").read_text()
        async with httpx.AsyncClient(base_url=up.url, timeout=30) as http:
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/api/v1/sessions")).status_code == 401
            listed = await http.get("/api/v1/sessions", headers={"Authorization": f"Bearer {token}"})
            assert (listed.status_code, listed.json()["items"]) == (200, [])
        assert up.stop()[0] == 0


@pytest.mark.parametrize("given", ["", "a-token-of-my-own"])
def test_the_token_is_the_users_or_made(tmp_path: Path, given: str) -> None:
    make(tmp_path, given)
    token = (tmp_path / "jelmore" / "token").read_text()
    assert token == given if given else len(token) >= 32
    make(tmp_path, "another-token-of-mine")
    assert (tmp_path / "jelmore" / "token").read_text() == "another-token-of-mine"
