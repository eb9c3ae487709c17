"""The stream itself: how it is made, finished by whoever comes next, and refused where it cannot be trusted."""

from dataclasses import replace
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StorageType

from jelmore_api.persister.stream import (
    COMPLETE_FROM,
    LogUnusable,
    StoredReport,
    prepare_log,
    stream_config,
)
from jelmore_contract.subjects import ALL_REPORTS, BUCKET, STREAM, STREAM_SUBJECTS, SessionKey, report_subject
from jelmore_local.servers.nats import Nats
from tests.support.log_publisher import LogPublisher, no_reports
from tests.support.servers import connect

KEY = SessionKey("default", "550e8400-e29b-41d4-a716-446655440000")


@pytest.fixture
async def client(fresh_nats: Nats) -> Any:
    connected = await connect(fresh_nats.url, fresh_nats.credentials)
    yield connected
    await connected.close()


async def one_report() -> list[StoredReport]:
    return [StoredReport(KEY, b"the report")]


async def test_made_as_the_log_needs_it_and_once(client: Client) -> None:
    for _ in range(2):
        config = (await prepare_log(client, 0, no_reports)).config
        assert set(config.subjects or ()) == set(STREAM_SUBJECTS)
        assert (config.storage, config.discard, config.max_age) == (StorageType.FILE, DiscardPolicy.NEW, 0)
        assert (config.max_msgs, config.max_bytes, config.max_consumers) == (-1, -1, 1_000_000)
        assert (config.allow_direct, config.allow_atomic, config.allow_rollup_hdrs) == (True, True, False)
        assert config.duplicate_window == 120
        assert (config.metadata or {})[COMPLETE_FROM] == "1"
    assert (await (await client.jetstream().key_value(BUCKET)).status()).bucket == BUCKET


async def test_what_a_dead_one_began_is_finished(client: Client) -> None:
    begun = replace(stream_config(5_000), subjects=[ALL_REPORTS], allow_direct=False)
    await client.jetstream().add_stream(begun)
    info = await prepare_log(client, 4_000, one_report)
    assert info.config.allow_direct
    assert set(info.config.subjects or ()) == set(STREAM_SUBJECTS)
    found = await client.jetstream().get_last_msg(STREAM, report_subject(KEY), direct=True)
    assert (found.seq, found.data) == (5_000, b"the report")


async def test_one_of_an_earlier_release_takes_as_many_sessions(client: Client) -> None:
    await client.jetstream().add_stream(replace(stream_config(1), max_consumers=-1))
    assert (await prepare_log(client, 0, no_reports)).config.max_consumers == 1_000_000


async def test_a_newer_report_is_not_overwritten(client: Client) -> None:
    begun = replace(stream_config(5_000), subjects=[ALL_REPORTS], allow_direct=False)
    await client.jetstream().add_stream(begun)
    await LogPublisher(client, KEY).raw(report_subject(KEY), b"newer")
    await prepare_log(client, 4_000, one_report)
    assert (await client.jetstream().get_last_msg(STREAM, report_subject(KEY), direct=True)).data == b"newer"


async def test_a_log_behind_its_mirror_is_refused(client: Client) -> None:
    await prepare_log(client, 0, no_reports)
    with pytest.raises(LogUnusable, match=r"ends at 0, but PostgreSQL has it up to 9.*Restore both from one backup"):
        await prepare_log(client, 9, no_reports)
