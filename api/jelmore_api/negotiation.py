"""Which of several media types a client wants: the Accept header, as RFC 9110 (12.5.1) has it. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

#: Less than any weight that a client can give (three digits), and more than a refusal.
_UNNAMED = 0.0005


class _Range(NamedTuple):
    """`text/*` and the like, with its weight."""

    main: str
    sub: str
    weight: float

    def specificity(self, media_type: str) -> int:
        """How closely it names the type: 2 for exactly, 0 for `*/*`; -1 for not at all."""
        main, _, sub = media_type.partition("/")
        if (self.main, self.sub) == (main, sub):
            return 2
        if self.sub != "*":
            return -1
        return {main: 1, "*": 0}.get(self.main, -1)


def preferred(accept: Sequence[str], offered: Sequence[str]) -> str | None:
    """Of the types on offer the one that the client prefers; of several that it likes as well, the first one.

    accept: every such header of the request. What names none of the offered types, or cannot be read, asks for nothing
    in particular: that is answered with the first one. None only where all of them are refused (`q=0`).
    """
    ranges = [read for part in ",".join(accept).split(",") if (read := _read(part)) is not None]
    weights = [_weight(ranges, media_type) for media_type in offered]
    best = max(weights)
    return offered[weights.index(best)] if best else None


def _weight(ranges: Sequence[_Range], media_type: str) -> float:
    """Of the range that names the type most closely."""
    naming = [(found.specificity(media_type), found.weight) for found in ranges if found.specificity(media_type) >= 0]
    return max(naming, key=lambda each: each[0])[1] if naming else _UNNAMED


def _read(part: str) -> _Range | None:
    """Of a range's parameters only the weight counts: no type on offer has any."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    main, slash, sub = name.partition("/")
    if not slash or not main or not sub:
        return None
    weight = next((value for value in map(_q, parameters) if value is not None), 1.0)
    return _Range(main, sub, weight)


def _q(parameter: str) -> float | None:
    name, _, value = parameter.partition("=")
    try:
        weight = float(value) if name.strip() == "q" else None
    except ValueError:
        return None
    return weight if weight is not None and 0 <= weight <= 1 else None
