"""How the CLI is started: its arguments and what is laid over its environment. Pure but for one look for
transcripts.
"""

import json
from pathlib import Path

from jelmore_agent.fold_state import FoldState
from jelmore_agent.mcp_file import McpFile
from jelmore_contract.agent_config import AgentConfig, Live

# Seen with the CLI 2.1.330; each is what a line of the session protocol depends on.
_ENVIRONMENT = {
    "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",  # states are the CLI's own, never guessed
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",  # the CLI is pinned
}


_LEAST_BUDGET = 0.01  # US dollars; nothing at all would be no limit


def arguments(config: AgentConfig, fold: FoldState, resume: str | None) -> list[str]:
    """The command line. `resume`: the conversation to go on with; None begins it under the session's own id."""
    argv = [config.claude, "-p", "--verbose", "--input-format", "stream-json", "--output-format", "stream-json"]
    argv += ["--permission-prompt-tool", "stdio", "--replay-user-messages"]
    # Or else a conversation keeps its first system prompt for good, whatever model or appendSystemPrompt it has now.
    argv += ["--system-prompt-snapshot", "off"]
    argv += ["--resume", resume] if resume else ["--session-id", config.session_id]
    live = fold.live or config.live
    argv += ["--permission-mode", live.permission_mode]
    if not config.trust_settings:
        # A repository's own settings can redirect credentials and run hooks; its CLAUDE.md is given back explicitly.
        argv += ["--setting-sources=", "--add-dir", config.workspace, "--strict-mcp-config"]
    if config.mcp_servers:
        argv += ["--mcp-config", str(McpFile(config).path)]
    if not config.attribution:
        argv += ["--settings", json.dumps({"attribution": {"commit": "", "pr": ""}})]
    if config.partial_messages:
        argv.append("--include-partial-messages")
    for option, value in (
        ("--model", live.model),
        ("--append-system-prompt", config.append_system_prompt),
        ("--max-budget-usd", budget(fold, live)),
        ("--max-turns", str(config.budget_turns) if config.budget_turns else None),
    ):
        argv += [option, value] if value else []
    for option, rules in (("--allowedTools", config.allowed_tools), ("--disallowedTools", config.disallowed_tools)):
        argv += [option, *rules] if rules else []
    return argv


def budget(fold: FoldState, live: Live) -> str | None:
    """What the CLI may take: it counts from its own start, whatever it resumes."""
    if live.budget_usd is None:
        return None
    return f"{max(live.budget_usd - fold.usage.cost_usd, _LEAST_BUDGET):.6f}"


def environment(live: Live, config: AgentConfig, resume: str | None) -> dict[str, str | None]:
    """What is laid over the launcher's environment; None removes a name."""
    continued = resume is not None and live.on_interrupted == "continue"
    return {
        **_ENVIRONMENT,
        "CLAUDE_CONFIG_DIR": config.claude_config_dir,
        "CLAUDE_CODE_TMPDIR": config.claude_tmp,
        "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": None if config.trust_settings else "1",
        "CLAUDE_CODE_RESUME_INTERRUPTED_TURN": "1" if continued else None,
        **_author(config),
    }


def _author(config: AgentConfig) -> dict[str, str | None]:
    """For git, before all of its configuration. A name that is not given is left to that."""
    given = {"NAME": config.commit_name, "EMAIL": config.commit_email}
    return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in given.items() if value}


def conversation(config: AgentConfig, fold: FoldState) -> str | None:
    """The conversation to resume: the last one that left a transcript (`/clear` changes its id), or None."""
    projects = Path(config.claude_config_dir) / "projects"
    for candidate in (fold.claude_session_id, config.session_id):
        if candidate and candidate.replace("-", "").isalnum() and any(projects.glob(f"*/{candidate}.jsonl")):
            return candidate
    return None
