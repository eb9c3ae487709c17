"""The session's disk gives one order, whatever moment it is read at."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jelmore_agent.facts import Problem
from jelmore_agent.spool import (
    FactsLog,
    Hint,
    LineRecord,
    Record,
    SpoolReader,
    facts_path,
    last_run,
    spool_path,
    stored_records,
)
from jelmore_contract.report import Cursor

_STEPS = st.lists(
    st.one_of(st.binary(max_size=30), st.just("read"), st.text(max_size=5).map(lambda text: Problem("t", "r", text)))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_what_was_seen_live_is_read_again_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    reader, facts = SpoolReader(folder, 1), FactsLog(folder, 1)
    seen: list[Record] = []
    with spool_path(folder, 1).open("ab", buffering=0) as cli:
        for step in steps:
            if isinstance(step, bytes):
                cli.write(step)
            elif isinstance(step, Problem):
                seen.append(facts.append(reader.offset, step, durable=False))
            else:
                seen += reader.read()
    reader.close()
    facts.close()
    again, log = SpoolReader(folder, 1), FactsLog(folder, 1)
    found = list(stored_records(again, log))
    rest = list(again.read())
    assert found == seen[: len(found)]
    assert (found + rest)[: len(seen)] == seen
    lines = [record.line for record in found + rest if isinstance(record, LineRecord)]
    assert lines == spool_path(folder, 1).read_bytes().split(b"\n")[:-1]
    again.close()
    log.close()


def test_a_torn_fact_was_never_acted_on(tmp_path: Path) -> None:
    log = FactsLog(tmp_path, 1)
    log.append(0, Problem("t", "r", "whole"), durable=True)
    log.close()
    with facts_path(tmp_path, 1).open("ab") as file:
        file.write(b'{"at":0,"fact":{"kind":"prob')
    log = FactsLog(tmp_path, 1)
    assert [record.fact for record in log.stored()] == [Problem("t", "r", "whole")]
    after = log.append(0, Problem("t", "r", "next"), durable=False)
    assert after.end == facts_path(tmp_path, 1).stat().st_size
    log.close()


def test_a_torn_line_comes_out_once_its_writer_is_gone(tmp_path: Path) -> None:
    reader = SpoolReader(tmp_path, 1)
    spool_path(tmp_path, 1).write_bytes(b"whole\ntorn")
    assert [record.line for record in reader.read()] == [b"whole"]
    torn = reader.rest()
    assert torn == LineRecord(1, 10, b"torn")
    assert reader.rest() is None
    reader.close()


def test_the_last_run(tmp_path: Path) -> None:
    assert last_run(tmp_path) == 0
    for name in ("run-2.facts", "run-10.facts", "run-x.facts", "other"):
        (tmp_path / name).touch()
    assert last_run(tmp_path) == 10


def test_a_hint_that_was_torn_counts_as_nothing(tmp_path: Path) -> None:
    hint = Hint(tmp_path)
    assert hint.read() is None
    hint.write(Cursor(3, 1234567, 1, 99, 0))
    hint.write(Cursor(3, 2, 0, 0, 0))
    assert Hint(tmp_path).read() == Cursor(3, 2, 0, 0, 0)
    (tmp_path / "published").write_bytes(b"[3,2,")
    assert Hint(tmp_path).read() is None
