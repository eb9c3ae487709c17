"""`make bench`: what the product costs, beside what it must not cost much more than, in one run; one table.

    python -m tests.perf [latency] [pages] [wake] [sessions] [start] [pods] [operator]

It reports: the exit code is 0 also where a bar is missed. Nothing is written but below the folder for temporary files.
Ratios compare two things of the same minutes on the same machine; absolute figures are this machine's.
"""

import argparse
import sys

from tests.perf import idle, latency, operators, pages, pods, start, wake
from tests.perf.report import Row, table

_MEASURES = {
    "latency": latency.measure,
    "pages": pages.measure,
    "wake": wake.measure,
    "sessions": idle.measure,
    "start": start.measure,
    "pods": pods.measure,
    "operator": operators.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.perf")
    parser.add_argument("measure", nargs="*", choices=(*_MEASURES, []), help="All of them unless said.")
    chosen = parser.parse_args().measure or list(_MEASURES)
    rows: list[Row] = []
    for name in chosen:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += _MEASURES[name]()
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
