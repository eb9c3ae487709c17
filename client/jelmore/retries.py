"""When a request is sent again. Pure.

Every request may be: creates and inputs carry a key of their own, so that again is not twice, and all others set
something rather than add to it.
"""

#: Answers that say that the same again may work: too many requests, and something that is needed is away.
AGAIN = frozenset({429, 502, 503, 504})
_SHORTEST_S, _LONGEST_S = 0.2, 5.0
_LONGEST_ASKED_S = 60.0  # what a server asks for beyond that is not waited for


def pause(failures: int, retry_after: str | None = None) -> float:
    """Seconds until the next try. `failures`: before this one. `retry_after`: the answer's header; a date in it is not
    read.
    """
    grown: float = min(_SHORTEST_S * 2.0**failures, _LONGEST_S)
    if retry_after is not None and retry_after.strip().isdecimal():
        return min(max(grown, float(retry_after)), _LONGEST_ASKED_S)
    return grown
