"""When the launcher pauses, ends and leaves: tables of what it sees and what it does then."""

import pytest

from jelmore_agent.launcher.policy import Limits, Observed, Step, decide, must_pause, next_retry

LIMITS = Limits(grace=30, orphan_timeout=600, min_free=64)
NO_LIMIT = LIMITS._replace(orphan_timeout=0)
IDLE = Observed(
    now=10_000,
    run_alive=False,
    unconfirmed=False,
    said_bye=False,
    stop_asked=None,
    alone_since=None,
    ending_since=None,
    quiet_since=9_000,
)
RUNNING = IDLE._replace(run_alive=True)


def ago(seconds: float) -> float:
    return IDLE.now - seconds


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        pytest.param(RUNNING, Step.WAIT, id="a run goes on"),
        pytest.param(RUNNING._replace(said_bye=True), Step.WAIT, id="bye waits for the CLI"),
        pytest.param(RUNNING._replace(stop_asked=ago(29.9)), Step.WAIT, id="the agent has its share"),
        pytest.param(RUNNING._replace(stop_asked=ago(30)), Step.INTERRUPT, id="it did not use it"),
        pytest.param(
            RUNNING._replace(stop_asked=ago(1.9), alone_since=ago(500)), Step.WAIT, id="an agent may come back"
        ),
        pytest.param(
            RUNNING._replace(stop_asked=ago(2), alone_since=ago(500)), Step.INTERRUPT, id="no agent came back"
        ),
        pytest.param(
            RUNNING._replace(stop_asked=ago(20), alone_since=ago(1)), Step.WAIT, id="the agent was lost just now"
        ),
        pytest.param(RUNNING._replace(alone_since=ago(599)), Step.WAIT, id="alone, not yet given up"),
        pytest.param(RUNNING._replace(alone_since=ago(600)), Step.CLOSE_STDIN, id="alone: the turn may finish"),
        pytest.param(RUNNING._replace(alone_since=ago(1200)), Step.INTERRUPT, id="alone: it did not finish"),
    ],
)
def test_a_live_run(seen: Observed, step: Step) -> None:
    assert decide(seen, LIMITS) is step


@pytest.mark.parametrize(
    ("elapsed", "step"),
    [
        (0, Step.INTERRUPT),
        (1.9, Step.INTERRUPT),
        (2, Step.CLOSE_STDIN),
        (5, Step.TERMINATE),
        (8, Step.KILL),
        (11.9, Step.KILL),
        (12, Step.LEAVE),
        (100, Step.LEAVE),
    ],
)
def test_ending_goes_from_gentle_to_hard_and_is_not_called_off(elapsed: float, step: Step) -> None:
    ending = RUNNING._replace(ending_since=ago(elapsed))
    assert decide(ending, LIMITS) is step
    assert decide(ending._replace(alone_since=ago(5000), stop_asked=ago(100)), LIMITS) is step


@pytest.mark.parametrize(
    ("seen", "leaves"),
    [
        pytest.param(IDLE, False, id="another run may come"),
        pytest.param(IDLE._replace(unconfirmed=True), False, id="an exit is kept as long as it takes"),
        pytest.param(IDLE._replace(said_bye=True), True, id="bye"),
        pytest.param(IDLE._replace(said_bye=True, unconfirmed=True), True, id="bye, whatever is unconfirmed"),
        pytest.param(IDLE._replace(stop_asked=ago(0)), True, id="nothing to end"),
        pytest.param(IDLE._replace(stop_asked=ago(0), unconfirmed=True), False, id="the exit is to be confirmed"),
        pytest.param(IDLE._replace(stop_asked=ago(2), unconfirmed=True), True, id="nobody confirms it"),
        pytest.param(
            IDLE._replace(stop_asked=ago(25), unconfirmed=True, quiet_since=ago(1)), False, id="it ended just now"
        ),
        pytest.param(IDLE._replace(alone_since=ago(599)), False, id="alone"),
        pytest.param(IDLE._replace(alone_since=ago(600), unconfirmed=True), True, id="alone too long"),
    ],
)
def test_without_a_run(seen: Observed, leaves: bool) -> None:
    assert decide(seen, LIMITS) is (Step.LEAVE if leaves else Step.WAIT)


@pytest.mark.parametrize("seen", [IDLE, RUNNING])
def test_without_an_orphan_timeout_it_waits_for_an_agent_for_ever(seen: Observed) -> None:
    assert decide(seen._replace(alone_since=ago(9_999)), NO_LIMIT) is Step.WAIT


@pytest.mark.parametrize(
    ("free", "paused", "ending", "pauses"),
    [
        (64, False, False, False),
        (63, False, False, True),
        (0, False, False, True),
        (64, True, False, True),
        (128, True, False, True),
        (129, True, False, False),
        (8, False, True, False),  # the reserve is for the last lines
        (7, False, True, True),
        (17, True, True, False),
    ],
)
def test_the_cli_stands_still_below_the_limit_and_goes_on_above_twice_that(
    free: int, paused: bool, ending: bool, pauses: bool
) -> None:
    assert must_pause(free, 64, paused=paused, ending=ending) is pauses


def test_no_reserve_asked_for_means_no_pause() -> None:
    assert not must_pause(0, 0, paused=False, ending=False)


def test_retries_begin_fast_and_end_at_one_a_second() -> None:
    delays = [0.05]
    for _ in range(6):
        delays.append(next_retry(delays[-1], lasted=0))
    assert delays == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert next_retry(1.0, lasted=1.5) == 0.05  # it was with an agent: another is soon there
    assert next_retry(0.4, lasted=0.2) == 0.8  # it was closed at once: our nonce was not liked
