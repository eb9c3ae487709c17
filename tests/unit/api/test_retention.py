"""What may leave the stream."""

from datetime import timedelta

import pytest

from jelmore_api.retention.purges import Progress, Purge, of_all, of_ended, of_one
from jelmore_api.retention.retention import Limits
from jelmore_contract.subjects import SessionKey

KEY = SessionKey("team-a", "550e8400-e29b-41d4-a716-446655440000")
EVENTS = f"jelmore.event.team-a.{KEY.session_id}"


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(KEY, 0, 0), []),
        # Its last line stays: the agent publishes the next on condition of its sequence.
        (Progress(KEY, 80, 0), [Purge(f"{EVENTS}.session.output", 80)]),
        (Progress(KEY, 200, 0), [Purge(f"{EVENTS}.session.output", 100)]),
        # A command that nobody has dealt with stays.
        (Progress(KEY, 0, 50), [Purge(f"jelmore.command.team-a.{KEY.session_id}.*", 51)]),
        (Progress(KEY, 0, 150), [Purge(f"jelmore.command.team-a.{KEY.session_id}.*", 100)]),
    ],
)
def test_what_goes_of_one_session(progress: Progress, expected: list[Purge]) -> None:
    assert list(of_one(progress, 100)) == expected


def test_what_whoever_reconciles_looks_for_stays() -> None:
    subjects = {purge.subject for purge in of_all(100)}
    assert "jelmore.event.*.*.session.file_modified" in subjects
    assert "jelmore.blob.>" in subjects
    for kept in ("session.created", "session.spec_changed", "session.state_changed", "session.terminated"):
        assert f"jelmore.event.*.*.{kept}" not in subjects
    assert not any(subject.startswith(("jelmore.agent", "jelmore.command")) for subject in subjects)


def test_of_an_ended_session_all_goes() -> None:
    assert {purge.subject for purge in of_ended(KEY)} == {
        f"{EVENTS}.>",
        f"jelmore.command.team-a.{KEY.session_id}.*",
        f"jelmore.blob.team-a.{KEY.session_id}.>",
        f"jelmore.agent.team-a.{KEY.session_id}",
    }


def test_no_time_is_for_ever() -> None:
    assert Limits.parse("0s", "36h") == Limits(None, timedelta(hours=36))
