"""Waiting for a turn to end, and answering what Claude asks meanwhile."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from jelmore.events import ApprovalRequested, ApprovalResolved, Event, Ready
from jelmore.models import Answer, Approval, TurnResult
from jelmore.problems import Conflict, NotFound, SessionFailed, TurnFailed
from jelmore.turn import Turn

#: Asked with what Claude asks; None leaves it to somebody else, or to its timeout.
type OnApproval = Callable[[Approval], Awaitable[Answer | None]]
type OnEvent = Callable[[Event], Awaitable[None]]
type Give = Callable[[Approval, Answer], Awaitable[None]]


async def follow_turn(
    turn: Turn,
    frames: AsyncIterator[Event | Ready],
    give: Give,
    on_approval: OnApproval | None,
    on_event: OnEvent | None,
) -> TurnResult:
    """Until the turn is over. Raises TurnFailed, SessionFailed, and what the calls raise."""
    asked = _Asked(give, on_approval)
    async for came in frames:
        if isinstance(came, Event):
            turn.take(came)
            if turn.begun and on_event is not None:
                await on_event(came)
        await asked.take(came)
        if turn.over:
            break
    return outcome(turn)


def outcome(turn: Turn) -> TurnResult:
    """Raises TurnFailed, or SessionFailed where the session went with it."""
    if turn.failure is None:
        return turn.result
    if turn.dead:
        raise SessionFailed(turn.failure)
    raise TurnFailed(turn.failure, turn.result)


class _Asked:
    """Answers what is open once the past is known, and what is asked from then on."""

    def __init__(self, give: Give, on_approval: OnApproval | None) -> None:
        self._give = give
        self._on_approval = on_approval
        self._open: dict[str, Approval] = {}
        self._live = False

    async def take(self, came: Event | Ready) -> None:
        match came:
            case Ready():
                self._live = True
            case ApprovalRequested():
                approval = Approval.model_validate({**came.payload, "requested_at": came.timestamp})
                self._open[approval.approval_id] = approval
            case ApprovalResolved():
                self._open.pop(came.payload["approval_id"], None)
            case _:
                pass
        if self._live:
            await self._answer()

    async def _answer(self) -> None:
        while self._open and self._on_approval is not None:
            approval = self._open.pop(next(iter(self._open)))
            answer = await self._on_approval(approval)
            if answer is None:
                continue
            # Those are for one that somebody else has answered, or that Claude asks no more.
            with contextlib.suppress(Conflict, NotFound):
                await self._give(approval, answer)
