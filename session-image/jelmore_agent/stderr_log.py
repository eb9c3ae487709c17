"""The log of launcher and parent: one line of JSON on stderr, rarely. Standard library only."""

import json
import os
import time
from contextlib import suppress


def log(part: str, event: str, **fields: object) -> None:
    """Never what the CLI printed or was given: it may hold secrets. A log that cannot be written stops
    nothing.
    """
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = json.dumps({"timestamp": now, "part": part, "event": event, **fields}) + "\n"
    with suppress(OSError):
        os.write(2, line.encode())
