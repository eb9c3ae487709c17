"""The one table that all measures end up in."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`against` is the limit and what ours is compared with it, as text. `holds`: None where no bar was set."""

    measure: str
    ours: str
    baseline: str
    against: str
    holds: bool | None

    @property
    def verdict(self) -> str:
        return {None: "-", True: "holds", False: "**MISSED**"}[self.holds]


def ratio_row(measure: str, unit: str, pairs: Sequence[tuple[float, float]], limit: float | None) -> Row:
    """`pairs`: ours and the baseline's, a round each. The ratio is the median of the rounds' own ratios."""
    ours, baseline = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(our / base for our, base in pairs)
    return Row(
        measure,
        f"{ours:.2f} {unit}",
        f"{baseline:.2f} {unit}",
        f"x {ratio:.2f}" + (f" (limit {limit:g})" if limit is not None else ""),
        None if limit is None else ratio <= limit,
    )


def limit_row(measure: str, unit: str, ours: float, limit: float | None) -> Row:
    """A bar that is a figure of its own."""
    against = "-" if limit is None else f"limit {limit:g} {unit}"
    return Row(measure, f"{ours:.3g} {unit}", "-", against, None if limit is None else ours <= limit)


def table(rows: Iterable[Row]) -> str:
    """In Markdown."""
    cells = [("measure", "ours", "baseline", "ratio / limit", "verdict")]
    cells += [(row.measure, row.ours, row.baseline, row.against, row.verdict) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
