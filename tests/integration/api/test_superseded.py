"""Reports that newer ones replaced leave the log; the last one and everything else stays."""

from jelmore_api.persister.superseded import MOST_GATHERED, Superseded
from jelmore_api.stream.consumer import Entry
from jelmore_contract.subjects import STREAM, SessionKey, report_subject
from tests.support.own_nats import OwnNats


async def test_only_the_last_report_stays(own_nats: OwnNats) -> None:
    client = await own_nats.connect()
    try:
        jetstream = client.jetstream()
        one, other = (SessionKey("default", f"{n:08d}-0000-4000-8000-000000000000") for n in (1, 2))
        superseded = Superseded(client)
        await jetstream.publish(report_subject(other), b"other")
        for number in range(MOST_GATHERED + 3):
            ack = await jetstream.publish(report_subject(one), str(number).encode())
            await superseded.committed([Entry(ack.seq, report_subject(one), b"", 0)])
        info = await jetstream.stream_info(STREAM, subjects_filter="jelmore.agent.>")
        assert info.state.subjects is not None
        assert info.state.subjects[report_subject(one)] == 4
        assert info.state.subjects[report_subject(other)] == 1
        last = await jetstream.get_last_msg(STREAM, report_subject(one))
        assert last.data == str(MOST_GATHERED + 2).encode()
    finally:
        await client.close()
