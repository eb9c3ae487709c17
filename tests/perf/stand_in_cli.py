"""In the CLI's place: answers what the agent asks at the start, and prints stamped lines (`lines.py`) when told to.

Standard library only. It is copied to where the product looks for the CLI, and run alone for the bare pipeline.
"""

import json
import os
import random
import sys
import time


def say(**frame: object) -> None:
    os.write(1, json.dumps(frame).encode() + b"\n")


def state(word: str) -> None:
    say(type="system", subtype="session_state_changed", state=word, session_id="bench")


def print_lines(order: dict[str, object]) -> None:
    # pathlib would be most of what this program imports.
    with open(str(order["lines"]), "rb") as source:  # noqa: PTH123
        lines = source.read().splitlines()
    waits = random.Random(len(lines))
    least, most = float(str(order["least_ms"])), float(str(order["most_ms"]))
    for line in lines:
        time.sleep(waits.uniform(least, most) / 1000)
        os.write(1, b'%s,"stamp":%d}\n' % (line[:-1], time.monotonic_ns()))


def main() -> None:
    for line in sys.stdin:
        frame = json.loads(line)
        if frame["type"] == "control_request":
            answer = {"subtype": "success", "request_id": frame["request_id"], "response": {}}
            say(type="control_response", response=answer)
        elif frame["type"] == "user":
            say(type="command_lifecycle", command_uuid=frame["uuid"], state="started")
            state("running")
            print_lines(json.loads(frame["message"]["content"]))
            say(type="result", subtype="success", is_error=False, result="ok", session_id="bench", usage={})
            say(type="command_lifecycle", command_uuid=frame["uuid"], state="completed")
            state("idle")


if __name__ == "__main__":
    main()
