"""Subjects are built and taken apart in one place, and nothing that a subject could be widened with gets in."""

import pytest

from jelmore_contract import subjects
from jelmore_contract.subjects import SessionKey, parse_subject, session_key

SESSION = "550e8400-e29b-41d4-a716-446655440000"
KEY = SessionKey("team-a", SESSION)


def test_the_subjects_of_the_design() -> None:
    assert subjects.event_subject(KEY, "session.git_activity") == f"jelmore.event.team-a.{SESSION}.session.git_activity"
    assert subjects.command_subject(KEY, "input") == f"jelmore.command.team-a.{SESSION}.input"
    assert subjects.live_subject(KEY) == f"jelmore.live.team-a.{SESSION}"
    assert subjects.blob_subject(KEY, "1-0-20-0", 3) == f"jelmore.blob.team-a.{SESSION}.1-0-20-0.3"


@pytest.mark.parametrize("namespace", ["", "a.b", "*", ">", "A", "-a", "a" * 64, "a b"])
def test_a_namespace_that_is_none(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        session_key(namespace, SESSION)


@pytest.mark.parametrize("session_id", ["", "*", SESSION.upper(), SESSION.replace("-", ""), f"{SESSION}.x"])
def test_a_session_id_that_is_none(session_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        session_key("default", session_id)


@pytest.mark.parametrize("name", ["", "a.b", "*", "a b", ">"])
def test_a_blob_s_name_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="blob"):
        subjects.blob_subject(KEY, name, 0)


def test_taken_apart() -> None:
    assert parse_subject(subjects.event_subject(KEY, "session.output")) == ("event", KEY, "session.output")
    assert parse_subject(subjects.report_subject(KEY)) == ("agent", KEY, "")
    for wrong in ("", "jelmore.event", "other.event.a.b.c", "jelmore.event.a"):
        with pytest.raises(ValueError, match="not a subject"):
            parse_subject(wrong)
