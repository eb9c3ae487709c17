"""The log is the CLI's own words: whatever it prints, every line once, whole, in order, whatever is cut or killed on
the way.
"""

import asyncio
import json
import random
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.cutting_proxy import CuttingProxy
from tests.support.printing_cli import printing_cli
from tests.support.session_rig import MakeRig, Rig, outputs

_FRAMES = st.sampled_from(
    [
        b'{"type":"never_seen","x":1}',
        b'{"type":"system","subtype":"new"}',
        b'{"type":5}',
        b"[]",
        b"null",
        b"7",
        b'{"type":"result"}',
    ]
)
_LINES = st.lists(
    st.one_of(
        _FRAMES,
        st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b"\xfe")),
        st.text(max_size=80).map(lambda text: json.dumps({"type": "assistant", "text": text}).encode()),
        st.sampled_from(
            [
                b'{"a":"\\u0000"}',
                b'{"a":"\\ud83d"}',
                b'"\xff\xfe"',
                b"",
                b"   ",
                b"NaN",
                b'{"type":"assistant"',
                b"\x00",
            ]
        ),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture
def printer(tmp_path: Path) -> str:
    return printing_cli(tmp_path / "claude", sys.executable)


async def say_all(rig: Rig, data: bytes, name: str) -> None:
    file = rig.folder / name
    file.write_bytes(data)
    await rig.input(str(file))


def expected(rig: Rig) -> list[bytes]:
    return (rig.spool / "run-1.jsonl").read_bytes().split(b"\n")[:-1]


async def assert_log(rig: Rig) -> None:
    await rig.until(lambda log: len(log.of("output")) >= len(expected(rig)))
    assert rig.log.lines() == expected(rig)
    ids = [event.id for event in rig.log.events]
    assert len(ids) == len(set(ids))
    assert [event.seq for event in rig.log.events] == sorted({event.seq for event in rig.log.events})


async def test_whatever_is_printed_stands_in_the_log(make_rig: MakeRig, printer: str) -> None:
    rig = await make_rig(claude=printer)
    printed = 0

    @settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
    @given(lines=_LINES)
    def collect(lines: list[bytes]) -> None:
        batches.append(lines)

    batches: list[list[bytes]] = []
    collect()
    for number, lines in enumerate(batches):
        await say_all(rig, b"".join(line + b"\n" for line in lines), f"b{number}")
        printed += len(lines)
        await rig.until(outputs(printed + 1))
    assert expected(rig)[1:] == [line for lines in batches for line in lines]
    await assert_log(rig)


async def test_a_line_of_5_mb_and_one_of_20_mb_go_as_blobs(make_rig: MakeRig, printer: str) -> None:
    rig = await make_rig(claude=printer)
    big = json.dumps({"type": "user", "text": "é\u0000" * 500_000}).encode()
    assert len(big) > 5_000_000
    broken = b"\xff" * 20_000_000
    await say_all(rig, b"\n".join([b'{"n":1}', big, b'{"n":2}', broken, b'{"n":3}', b""]), "big")
    await rig.until(lambda log: len(log.of("output")) == 6)
    await assert_log(rig)
    assert [event.encoding for event in rig.log.of("output")] == [None, None, "blob", None, "blob", None]


async def test_a_torn_last_line_stands_in_the_log_when_the_cli_is_gone(make_rig: MakeRig, printer: str) -> None:
    rig = await make_rig(claude=printer)
    await say_all(rig, b'{"whole":1}\n{"torn":', "torn")
    await rig.until(lambda log: len(log.of("output")) == 2)
    await rig.stop()
    await rig.until(lambda log: len(log.of("output")) == 3)
    assert rig.log.lines()[1:] == [b'{"whole":1}', b'{"torn":']


async def publish_through_cuts(rig: Rig, proxy: CuttingProxy, cuts: int, chance: random.Random) -> None:
    lines = [json.dumps({"type": "assistant", "n": n, "x": "y" * chance.randrange(400)}).encode() for n in range(5_000)]
    await say_all(rig, b"".join(line + b"\n" for line in lines), "lines")
    for number in range(1, cuts + 1):
        while proxy.cuts < number:  # one may come when the agent has just been killed, and finds nothing to cut
            await proxy.cut(after_bytes=chance.randrange(20_000), lose_answers=chance.random() < 0.5)
        if number % 20 == 0:
            await rig.restart_agent()
    await rig.until(lambda log: len(log.of("output")) >= len(expected(rig)), limit=60)


@pytest.mark.timeout(240)
async def test_200_cuts_change_nothing(make_rig: MakeRig, printer: str, own_nats_url: str) -> None:
    """Connections cut, acknowledgements lost, the agents killed now and then while they publish: 4 sessions, 50 cuts
    each.
    """
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(CuttingProxy(own_nats_url)) for _ in range(4)]
        rigs = [await make_rig(claude=printer, nats_url=proxy.url) for proxy in proxies]
        async with asyncio.TaskGroup() as tasks:
            for number, (rig, proxy) in enumerate(zip(rigs, proxies, strict=True)):
                tasks.create_task(publish_through_cuts(rig, proxy, 50, random.Random(seed + number)))
    assert sum(proxy.cuts for proxy in proxies) >= 200
    for rig in rigs:
        await assert_log(rig)


async def test_a_zombie_is_refused(make_rig: MakeRig, printer: str, tmp_path: Path) -> None:
    """Two agents on one session's disk, the lock between them gone: still every line once, in order."""
    rig = await make_rig(claude=printer)
    await rig.until(lambda log: len(log.of("output")) == 1)
    lines = [json.dumps({"type": "assistant", "n": n}).encode() for n in range(5_000)]
    (rig.spool / "lock").unlink()
    zombie = rig.second_agent(tmp_path / "zombie")
    await say_all(rig, b"".join(line + b"\n" for line in lines), "lines")
    try:
        await rig.until(lambda log: len(log.of("output")) >= 5_001, limit=60)
        await asyncio.sleep(0)
        assert zombie.poll() is None
    finally:
        zombie.kill()
        zombie.wait()
    await assert_log(rig)
