"""What a pod tells of its session's runtime."""

from datetime import timedelta

import pytest

from jelmore_operator.kube.names import REPORT_SEQ, RUN_BEFORE, STARTS
from jelmore_operator.kube.pods import Hindered, Record, has_ended, is_ours, record_of, runtime_of, stopping_since
from jelmore_operator.reconcile.backoff import WINDOW
from jelmore_operator.reconcile.observed import Obstacle, SeenReport
from tests.support.observations import NOW, ago, report, resource
from tests.support.pods import seen_pod, stopping

RECORD = Record((ago(20), ago(10)), 7, 3)


def test_a_record_comes_back_from_the_pod_as_it_was_written() -> None:
    assert record_of(seen_pod(record=RECORD)) == RECORD
    assert record_of(seen_pod()) == Record()


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "²", "2026-13-45T00:00:00Z"])
def test_nonsense_in_an_annotation_counts_as_nothing(nonsense: str) -> None:
    pod = seen_pod(record=RECORD)
    pod["metadata"]["annotations"] = dict.fromkeys((STARTS, REPORT_SEQ, RUN_BEFORE), nonsense)
    assert record_of(pod) == Record()


def test_the_next_start_remembers_recent_ones_and_where_the_log_was() -> None:
    long_ago = NOW - WINDOW
    last = SeenReport(report(run=4), 9)
    record = Record((long_ago, ago(10)))
    assert record.started(last, False, NOW) == Record((ago(10), NOW), 9, 4)
    assert record.started(last, True, NOW) == Record((NOW,), 9, 4)
    assert Record().started(None, True, NOW) == Record((NOW,), 0, 0)


def test_a_pod_is_both_processes() -> None:
    runtime = runtime_of(resource(), seen_pod(record=RECORD), RECORD, Hindered())
    assert (runtime.launcher, runtime.agent, runtime.agent_stale, runtime.pod) == (True, True, False, "claude-a")
    assert (runtime.starts, runtime.report_seq, runtime.run_before) == (RECORD.starts, 7, 3)
    assert "kubectl -n default logs claude-a" in runtime.logs


def test_what_hinders_it_is_its_obstacle() -> None:
    obstacle = Obstacle("image", "ImagePullProblem", "It cannot be pulled.")
    runtime = runtime_of(resource(), seen_pod("Pending"), RECORD, Hindered(obstacle, outdated=True))
    assert (runtime.obstacle, runtime.outdated, runtime.agent_stale) == (obstacle, True, False)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_one_that_has_ended_is_none(phase: str) -> None:
    pod = seen_pod(phase)
    assert has_ended(pod)
    assert not runtime_of(resource(), pod, RECORD, Hindered()).alive
    assert runtime_of(resource(), None, RECORD, Hindered()).starts == RECORD.starts


@pytest.mark.parametrize("grace", [30, 1])
def test_it_is_known_since_when_it_is_to_end(grace: int) -> None:
    since = NOW - timedelta(seconds=4)
    pod = stopping(seen_pod(), since, grace)
    assert stopping_since(pod) == since
    assert runtime_of(resource(), pod, RECORD, Hindered()).stopping_since == since
    assert stopping_since(seen_pod()) is None


def test_what_an_earlier_session_of_the_name_has_left_is_not_ours() -> None:
    pod = seen_pod()
    assert is_ours(pod, resource())
    pod["metadata"]["ownerReferences"][0]["uid"] = "another"
    assert not is_ours(pod, resource())
    del pod["metadata"]["ownerReferences"]
    assert not is_ours(pod, resource())
