"""What `jelmore up` prints when it serves."""

from pathlib import Path

from jelmore_local.credentials import Credentials, Source

_DEMO = """\
  Model        DEMO: a scripted model, since no Claude credentials were found. It costs nothing and knows little.
               For the real one set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or log in with Claude Code."""


_DEGRADED = """\

  Not everything that the API needs is there yet: {url}/readyz says what.
"""


def banner(url: str, credentials: Credentials, home: Path, *, token: bool, ready: bool) -> str:
    """`token`: calls must carry one. `ready`: nothing that the API needs is away."""
    model = _DEMO if credentials.source is Source.DEMO else f"  Model        Claude, by {credentials.description}"
    authorization = ' \\\n    -H "Authorization: Bearer $JELMORE_TOKEN"' if token else ""
    return f"""
Jelmore serves {url}

{model}
  Data         {home}
  Reference    {url}/api/v1/docs
{"" if ready else _DEGRADED.format(url=url)}
A first session:

  curl -X POST {url}/api/v1/session -H "Content-Type: application/json"{authorization} \\
    -d '{{"query": "Help me create a Python FastAPI application"}}'

Ctrl-C stops it; sessions are kept.
"""
