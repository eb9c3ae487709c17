"""What Claude runs in a real pod against the rest of its own session: refused. That the same attacks are real ones is
shown by tests/integration/agent/test_boundary.py, with a naive arrangement.
"""

import json
from pathlib import Path

import pytest

from jelmore_contract.resource import CredentialsKind
from tests.support import attacks, mcp_server
from tests.support.kube_pod import CANARY, MakePod
from tests.support.scripts import bash, say, script, tool, write
from tests.support.session_rig import Log

_TOKEN_OF_KUBERNETES = "/var/run/secrets/kubernetes.io/serviceaccount/token"


@pytest.mark.parametrize("kind", [CredentialsKind.OAUTH_TOKEN, CredentialsKind.API_KEY])
async def test_nothing_that_claude_runs_gets_through(make_pod: MakePod, kind: CredentialsKind) -> None:
    pod = await make_pod(kind=kind, spec={"query": script(say("ready")), "allowedTools": ["Bash"]})
    await pod.until(lambda log: log.of("turn_completed"))
    targets: attacks.Targets = {
        "init": 1,
        "secrets": [*(f"/etc/jelmore/{name}" for name in ("agent.json", "nats.creds", "nonce")), _TOKEN_OF_KUBERNETES],
        "spool": "/var/lib/jelmore",
        "socket": "/run/jelmore/agent.sock",
        "claude": "/usr/local/bin/claude",
        "agent": pod.pair.agent,
        "canaries": [CANARY[::-1], pod.nonce[::-1]],
        "signals": True,
    }
    command = f"python3 -I -S attacks.py '{json.dumps(targets)}' > results.json; cat results.json"
    program = Path(attacks.__file__).read_text()
    prompt = await pod.input(script(write("attacks.py", program), bash(command), say("still here")))

    def done(log: Log) -> bool:
        return log.input_states(prompt)[-1:] == ["completed"]

    await pod.until(done)
    results = json.loads(pod.in_agent("cat", "/workspace/results.json"))
    assert {name: what for name, what in results.items() if not what.startswith("refused: ")} == {}
    assert pod.log.report is not None
    assert (pod.log.report.run, pod.log.of("error")) == (1, [])
    assert pod.restarts("claude") == 0
    await pod.until(lambda log: log.lines() == pod.spool_lines())
    assert attacks.FORGED.rstrip() not in pod.log.lines()


async def test_what_mcp_servers_are_given_is_in_the_clis_memory_alone(make_pod: MakePod) -> None:
    """A server with a command has its own part in its environment, which what Claude runs can read: see security.md."""
    secret = "token-of-a-server"
    servers = {
        "shouting": {"command": "python3", "args": ["-c", Path(mcp_server.__file__).read_text()]},
        "remote": {"type": "http", "url": "http://127.0.0.1:9/", "headers": {"Authorization": f"Bearer {secret}"}},
    }
    # In the prompt it would be everywhere; turned round it is nowhere but where it is looked for.
    look = (
        "python3 - <<'END'\n"
        "import pathlib\n"
        f"secret = {secret[::-1]!r}[::-1].encode()\n"
        "files = [*pathlib.Path('/run/jelmore').iterdir(), *pathlib.Path('/proc').glob('[0-9]*/cmdline'),\n"
        "    *pathlib.Path('/proc').glob('[0-9]*/environ'), *pathlib.Path('/tmp').rglob('*')]\n"
        "def read(path):\n"
        "    try: return path.read_bytes()\n"
        "    except OSError: return b''\n"
        "print('looked at', len(files), 'found', [str(path) for path in files if secret in read(path)])\n"
        "END"
    )
    steps = script(tool("mcp__shouting__shout", text="hear, hear"), bash(look), say())
    pod = await make_pod(spec={"query": steps, "mcpServers": servers, "allowedTools": ["Bash", "mcp__shouting__shout"]})
    await pod.until(lambda log: log.of("turn_completed"))
    said = b"\n".join(pod.log.lines()).decode()
    assert "HEAR, HEAR" in said
    assert "looked at" in said
    assert "found []" in said
    assert secret not in said
