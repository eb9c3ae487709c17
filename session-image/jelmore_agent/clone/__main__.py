"""`python -m jelmore_agent.clone --url URL --volume FOLDER --result FILE …`: 0 once the workspace is the repository,
also where it was before; 1 after a failure, whose reason is in the result file. Killed in the middle, it is run again.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from jelmore_agent.clone.git import Git
from jelmore_agent.clone.job import CloneError, Job
from jelmore_agent.clone.place import settle

#: Seconds for all of it.
LIMIT = 1800.0
#: Seconds between attempts after what may pass by itself.
PAUSES = (1.0, 5.0)


def main() -> int:
    options = _options()
    job = Job(options.url, options.ref, options.depth, options.volume, options.secret, options.secret_name)
    try:
        clone(job, time.monotonic() + LIMIT)
    except CloneError as error:
        return _failed(options.result, str(error))
    except OSError as error:
        return _failed(options.result, f"{job.url} cannot be cloned: {error.strerror} ({error.filename}).")
    return 0


def clone(job: Job, deadline: float) -> None:
    """Raises CloneError, OSError."""
    git = Git(job, deadline)

    def end(_number: int, _frame: FrameType | None) -> None:
        git.end()
        os._exit(143)

    # Process 1 of a container dies of no signal that it does not handle.
    signal.signal(signal.SIGTERM, end)
    for pause in (*PAUSES, None):
        try:
            settle(job.volume, git.clone)
        except CloneError as error:
            if pause is None or not error.passing:
                raise
            time.sleep(pause)
        else:
            return


def _failed(result: Path, message: str) -> int:
    print(f"clone: {message}", file=sys.stderr)
    # Written in place: a kubelet has made the file, and reads that one.
    result.write_text(message)
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jelmore-clone")
    parser.add_argument("--url", required=True)
    parser.add_argument("--ref")
    parser.add_argument("--depth", type=int)
    parser.add_argument("--volume", required=True, type=Path)
    parser.add_argument("--secret", type=Path)
    parser.add_argument("--secret-name", default="the Secret")
    parser.add_argument("--result", required=True, type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
