"""The `jelmore` command with an API in a cluster: what it needs is an address and a token."""

import asyncio
import json
import os
import sys
from typing import NamedTuple

from tests.support.api import RunningApi
from tests.support.cluster_api import Cluster


class Ended(NamedTuple):
    code: int | None
    out: str
    err: str


async def jelmore(api: RunningApi, headers: dict[str, str] | None, *arguments: str) -> Ended:
    token = {"JELMORE_TOKEN": headers["Authorization"].removeprefix("Bearer ")} if headers else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jelmore", *arguments),
        env={**os.environ, "JELMORE_URL": str(api.http.base_url), **token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


async def test_a_session_from_the_command_line(cluster_api: RunningApi, cluster: Cluster) -> None:
    all_rights = cluster.caller("get", "list", "create", "update", "delete")
    created = await jelmore(cluster_api, all_rights, "create", "hi", "--name", "mine", "--json")
    assert created.code == 0, created.err
    assert json.loads(created.out)["id"] == cluster.read("mine")["metadata"]["uid"]
    listed = await jelmore(cluster_api, all_rights, "ls")
    assert "mine" in listed.out
    assert (await jelmore(cluster_api, all_rights, "send", "mine", "more")).code == 0
    assert (await jelmore(cluster_api, all_rights, "delete", "mine")).code == 0
    assert cluster.names() == []


async def test_what_is_refused_reads_well(cluster_api: RunningApi, cluster: Cluster) -> None:
    session_id = await cluster_api.create(name="mine")
    reader = cluster.caller("get", "list")
    cases = [
        (None, ("ls",), 4, "kubectl create token SERVICEACCOUNT --audience jelmore"),
        (cluster.headers("nonsense"), ("ls",), 4, "is none of this cluster's, or has expired"),
        (reader, ("create", "hi"), 4, f"may not create claudesessions.jelmore.dev in namespace {cluster.namespace}"),
        (reader, ("delete", "mine"), 4, "may not delete claudesessions.jelmore.dev"),
        (cluster.caller("list"), ("show", session_id), 3, f"There is no session {session_id}"),
        (cluster.caller("get", "create"), ("create", "hi", "--workspace", "/srv"), 2, "is for one machine"),
    ]
    for headers, arguments, code, words in cases:
        ended = await jelmore(cluster_api, headers, *arguments)
        assert ended.code == code, (arguments, ended)
        assert words in ended.err
        assert len(ended.err.splitlines()) == 1
    assert cluster.names() == ["mine"]
