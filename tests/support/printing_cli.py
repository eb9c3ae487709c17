"""A stand-in for the CLI that prints given bytes, for what the real one cannot be made to print: broken UTF-8, torn
lines, huge ones.

It answers `initialize` as the CLI does, prints the file that a prompt names, and stays until its stdin closes.
"""

from pathlib import Path

_PROGRAM = """#!{python}
import json, os, sys
for line in sys.stdin:
    frame = json.loads(line)
    if frame["type"] == "control_request":
        response = {{"subtype": "success", "request_id": frame["request_id"], "response": {{}}}}
        os.write(1, json.dumps({{"type": "control_response", "response": response}}).encode() + b"\\n")
    elif frame["type"] == "user":
        data = open(frame["message"]["content"], "rb").read()
        while data:
            data = data[os.write(1, data):]
"""


def printing_cli(path: Path, python: str) -> str:
    path.write_text(_PROGRAM.format(python=python))
    path.chmod(0o755)
    return str(path)
