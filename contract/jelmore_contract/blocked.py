"""What stands in the way of a session's next prompt, from what it used: the same for status, REST and messages."""

from datetime import UTC, datetime
from typing import Literal, NamedTuple


class Block(NamedTuple):
    """until: when it is over by itself. message: what is wrong and what to do."""

    reason: Literal["budget", "quota"]
    until: datetime | None
    message: str


def over_budget(cost_usd: float, budget_usd: float | None) -> bool:
    return budget_usd is not None and cost_usd >= budget_usd


def budget_message(cost_usd: float, budget_usd: float) -> str:
    return (
        f"The session has used {cost_usd:.2f} of its budget of {budget_usd:.2f} US dollars. Raise budget.usd to go on; "
        "inputs wait until then."
    )


def blocked(cost_usd: float, budget_usd: float | None, quota_resets_at: str | None, now: datetime) -> Block | None:
    """A used budget comes first: it does not go away by itself. quota_resets_at: RFC 3339, as the agent reports it."""
    if budget_usd is not None and over_budget(cost_usd, budget_usd):
        return Block("budget", None, budget_message(cost_usd, budget_usd))
    until = _moment(quota_resets_at)
    if until is None or until <= now:
        return None
    what = (
        f"The account's quota is used up until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC: send the input again then."
    )
    return Block("quota", until, what)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
