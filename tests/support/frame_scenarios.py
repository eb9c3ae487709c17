"""What is recorded of the real CLI: see `record_frames`."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from .claude_cli import Cli, claude
from .scripts import Step, agent, ask, bash, edit, error, plan, say, script, write

_QUEUED = "Also tell me when you are done."


@dataclass(frozen=True)
class Scenario:
    """What is sent to one CLI, and the flags and variables it is started with; `after`: another
    scenario that has left its conversation there."""

    drive: Callable[[Cli], Awaitable[None]]
    flags: tuple[str, ...] = ("--allowedTools=Bash",)
    env: dict[str, str] = field(default_factory=dict)
    after: str = ""


async def simple(cli: Cli) -> None:
    """Two turns of words."""
    for words in ("Hello, I am here.", "And still here."):
        await cli.prompt(script(say(words)))
        await cli.idle()


async def written(cli: Cli) -> None:
    """A file written, changed and read, two of them at once."""
    steps: list[Step] = [
        write("%cwd%/hello.py", 'print("hello")\n'),
        edit("%cwd%/hello.py", "hello", "goodbye"),
        [bash("python3 hello.py"), bash("git init -q . && git add . && git commit -m First")],
    ]
    await cli.prompt(script(*steps, say("Written and changed.")))
    await cli.idle()


async def bash_cd(cli: Cli) -> None:
    """The shell's directory moves within the workspace, stays there, and is reset when it leaves."""
    steps = [
        bash("mkdir -p sub/deeper && cd sub"),
        bash("pwd"),
        bash("cd deeper && pwd"),
        bash("cd /usr && pwd"),
    ]
    await cli.prompt(script(*steps, say("Moved.")))
    await cli.idle()
    await cli.prompt(script(bash("pwd"), say("Where I am now.")))
    await cli.idle()


async def approval_allowed(cli: Cli) -> None:
    """A command that needs consent, and gets it."""
    await cli.prompt(script(bash("python3 -c 'print(6 * 7)'"), say("It ran.")))
    await cli.allow(await cli.expect("can_use_tool"))
    await cli.idle()


async def approval_denied(cli: Cli) -> None:
    """A command that needs consent, and is denied it."""
    await cli.prompt(script(bash("python3 -c 'print(6 * 7)'"), say("It did not run.")))
    request = await cli.expect("can_use_tool")
    await cli.answer(request, {"behavior": "deny", "message": "Not on this machine."})
    await cli.idle()


async def approval_interrupted(cli: Cli) -> None:
    """Two commands at once that need consent; one gets it, the turn is interrupted before the other does."""
    both = [bash("python3 -c 'print(6 * 7)'"), bash("python3 -c 'print(6 * 8)'")]
    await cli.prompt(script(both, say("Not said.")))
    await cli.allow(await cli.expect("can_use_tool"))
    await cli.expect("can_use_tool")
    await cli.control("interrupt")
    await cli.idle()


async def question(cli: Cli) -> None:
    """A question with two labels, answered."""
    await cli.prompt(script(ask("Which colour?", "Blue", "Green"), say("Blue it is.")))
    await cli.allow(await cli.expect("can_use_tool"), answers={"Which colour?": "Blue"})
    await cli.idle()


async def planned(cli: Cli) -> None:
    """A plan made and approved."""
    await cli.prompt(script(*plan("# Plan\n\n1. Write a file.\n"), say("I would start now.")))
    await cli.allow(await cli.expect("can_use_tool"))
    await cli.idle()


async def subagent(cli: Cli) -> None:
    """A subagent runs on while the turn ends; its end makes a second result."""
    helper = script(bash("for i in 1 2 3 4 5; do echo $i; sleep 0.2; done"), say("Counted to five."))
    await cli.prompt(script(agent(helper), say("A helper counts."), say("The helper has counted.")))
    await cli.idle()


async def background_bash(cli: Cli) -> None:
    """A command in the background ends after the turn, and makes a turn of its own."""
    command = "echo 1; until [ -e turn-is-over ]; do sleep 0.1; done; echo 2"
    await cli.prompt(script(bash(command, background=True), say("It runs."), say("It has ended.")))
    await cli.idle()
    (cli.workspace / "turn-is-over").touch()
    await cli.idle()


async def interrupt(cli: Cli) -> None:
    """A turn interrupted in a command, another in its words, a third left alone."""
    await cli.prompt(script(bash("for i in $(seq 100); do echo $i; sleep 0.1; done"), say("Not said.")))
    await cli.expect("assistant")
    await cli.expect("task_started")
    await cli.control("interrupt")
    await cli.idle()
    await cli.prompt(script(say("Words upon words. ", chars=2000, deltas=200, delay_ms=20)))
    for _ in range(8):  # message_start, content_block_start, six deltas
        await cli.expect("stream_event")
    await cli.control("interrupt")
    await cli.idle()
    await cli.prompt(script(say("Left alone.")))
    await cli.idle()


async def api_error(cli: Cli) -> None:
    """A request refused for good, one refused twice and then met, one overloaded beyond the retries."""
    for steps in ([error(403)], [error(500, times=2), say("At the third attempt.")], [error(529)]):
        await cli.prompt(script(*steps))
        await cli.idle()
    await cli.prompt(script(say("All is well again.")))
    await cli.idle()


async def queued_input(cli: Cli) -> None:
    """Input sent while a command runs is folded into the turn; while words stream, it gets its own turn."""
    await cli.prompt(script(bash("for i in 1 2 3 4 5; do echo $i; sleep 0.2; done"), say("I have counted.")))
    await cli.expect("assistant")
    await cli.prompt(_QUEUED)
    await cli.idle()
    await cli.prompt(script(say("Words upon words. ", chars=400, deltas=20, delay_ms=50)))
    await cli.expect("init")
    await cli.prompt(script(say("Your second question.")))
    await cli.idle()


async def partial_messages(cli: Cli) -> None:
    """Words and a tool's input piece by piece."""
    await cli.prompt(script(bash("echo one"), say("One, two, three, four, five.", deltas=5, delay_ms=10)))
    await cli.idle()


async def killed(cli: Cli) -> None:
    """The CLI is killed while a request for consent is open."""
    await simple(cli)
    await cli.prompt(script(bash("python3 -c 'print(6 * 7)'"), say("It ran after all."), say("Another turn.")))
    request = await cli.expect("can_use_tool")
    # Killed at once, the CLI would not have the unfinished call in its transcript.
    await cli.transcribed(request["request"]["tool_use_id"])
    cli.process.kill()
    await cli.process.wait()


async def resume(cli: Cli) -> None:
    """The killed conversation again, in a new process: the cut turn is not gone on with."""
    await cli.prompt("What happened?")
    await cli.idle()


async def resume_interrupted(cli: Cli) -> None:
    """The killed conversation again, told to go on with its cut turn."""
    await cli.allow(await cli.expect("can_use_tool"))
    await cli.idle()


async def slash_commands(cli: Cli) -> None:
    """The conversation is summarised, then cleared, which gives it another id."""
    for text in (script(say("Before.")), "/compact", script(say("Between.")), "/clear", script(say("After."))):
        await cli.prompt(text)
        await cli.idle()


_AUTHOR = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "A User"), ("EMAIL", "user@example.com"))
}
SCENARIOS = {
    "simple": Scenario(simple),
    "write": Scenario(written, env=_AUTHOR),
    "bash_cd": Scenario(bash_cd),
    "approval_allowed": Scenario(approval_allowed, flags=()),
    "approval_denied": Scenario(approval_denied, flags=()),
    "approval_interrupted": Scenario(approval_interrupted, flags=()),
    "question": Scenario(question),
    "plan": Scenario(planned),
    "subagent": Scenario(subagent),
    "background_bash": Scenario(background_bash),
    "interrupt": Scenario(interrupt, ("--allowedTools=Bash", "--include-partial-messages")),
    "api_error": Scenario(api_error, env={"CLAUDE_CODE_MAX_RETRIES": "3"}),
    "queued_input": Scenario(queued_input),
    "partial_messages": Scenario(partial_messages, ("--allowedTools=Bash", "--include-partial-messages")),
    "slash_commands": Scenario(slash_commands),
    "killed": Scenario(killed, flags=()),
    "resume": Scenario(resume, after="killed"),
    "resume_interrupted": Scenario(
        resume_interrupted, (), {"CLAUDE_CODE_RESUME_INTERRUPTED_TURN": "1"}, after="killed"
    ),
}


async def play(name: str, home: Path, url: str) -> Cli:
    """Run a scenario in a new folder `home`, after the one that it goes on from; gives what was said."""
    scenario = SCENARIOS[name]
    workspace = home / "project"
    session = uuid.uuid5(uuid.NAMESPACE_URL, scenario.after or name)
    flag = f"--session-id={session}"
    if scenario.after:
        await play(scenario.after, home, url)
        flag = f"--resume={session}"
    workspace.mkdir(exist_ok=True)
    async with claude(url, workspace, home / ".claude", flag, *scenario.flags, env=scenario.env) as cli:
        await scenario.drive(cli)
    return cli
