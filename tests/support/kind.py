"""scripts/kind.sh with stand-ins for docker, kind, kubectl and helm that take down what they are asked."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.helm import ROOT, Rendered, documents

#: Takes down its arguments and what comes on its standard input, and answers as the real one does.
STAND_IN = """\
#!/bin/sh
name=$(basename "$0")
call=$(mktemp -u "$CALLS/$(date +%s%N)-XXXXXX")
printf '%s\\n' "$name" "$@" >"$call.arguments"
case " $* " in
*" - "* | *"/dev/stdin"*) cat >"$call.input" ;;
esac
case "$name $1 $2" in
"kind get clusters") cat "$CLUSTERS" ;;
"kind create cluster") echo "$4" >>"$CLUSTERS" ;;
"kind delete cluster") : >"$CLUSTERS" ;;
"docker image inspect") echo sha256:0123456789abcdef ;;
esac
case " $* " in
*" --dry-run=client "*) echo '{"kind": "Made", "of": "a dry run"}' ;;
esac
"""


@dataclass(frozen=True)
class Call:
    program: str
    arguments: list[str]
    input: str

    def __str__(self) -> str:
        return " ".join([self.program, *self.arguments])


@dataclass
class Machine:
    """With stand-ins for all four programs."""

    folder: Path

    def run(self, what: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        given = {"PATH": path, "CALLS": str(self.folder / "calls"), "CLUSTERS": str(self.folder / "clusters")}
        command = [str(ROOT / "scripts" / "kind.sh"), what]
        return subprocess.run(command, env=given | environment, capture_output=True, text=True, timeout=60, check=False)

    def calls(self) -> list[Call]:
        found = []
        for path in sorted((self.folder / "calls").glob("*.arguments")):
            program, *arguments = path.read_text().splitlines()
            given = path.with_suffix(".input")
            found.append(Call(program, arguments, given.read_text() if given.exists() else ""))
        return found

    def forget(self) -> None:
        for path in (self.folder / "calls").iterdir():
            path.unlink()

    def values(self) -> dict[str, Any]:
        """What helm was given."""
        (install,) = (call for call in self.calls() if call.program == "helm" and "upgrade" in call.arguments)
        found: dict[str, Any] = yaml.safe_load(install.input)
        return found

    def applied(self) -> list[Rendered]:
        return [
            document
            for call in self.calls()
            if call.program == "kubectl" and "apply" in call.arguments
            for document in documents(call.input)
        ]


@pytest.fixture
def kind_machine(tmp_path: Path) -> Machine:
    for name in ("bin", "calls"):
        (tmp_path / name).mkdir()
    (tmp_path / "clusters").touch()
    for name in ("docker", "kind", "kubectl", "helm"):
        (tmp_path / "bin" / name).write_text(STAND_IN)
        (tmp_path / "bin" / name).chmod(0o755)
    return Machine(tmp_path)
