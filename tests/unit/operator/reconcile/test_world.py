"""Random lives of a session in a world that is simulated: whatever dies and whenever, the plans lead to one
end.

The world holds what a bus, a disk and processes would: it carries plans out, may stop in the middle of one,
and lets things happen in between. It fails where a plan would do what must never be done.
"""

import dataclasses
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jelmore_contract.report import ORIGIN, Report
from jelmore_contract.resource import ClaudeSession, Lifecycle
from jelmore_contract.states import Phase, SessionState
from jelmore_operator.reconcile.backoff import crash_loop
from jelmore_operator.reconcile.decide import decide
from jelmore_operator.reconcile.observed import Observed, Runtime, SeenInput, SeenReport
from jelmore_operator.reconcile.plan import (
    Action,
    CloneWorkspace,
    CloseCommands,
    Configure,
    DeleteResource,
    ForgetResource,
    Interrupt,
    KillRuntime,
    PublishCreated,
    PublishSpecChanged,
    PublishState,
    PublishTerminated,
    RestartAgent,
    SetEgress,
    StartRuntime,
    StopReason,
    StopRuntime,
    WriteStatus,
)
from tests.support.observations import NOW, resource

_PASSES = 60


@dataclass
class World:
    """One session: resource, log, disk and processes."""

    session: ClaudeSession | None
    now = NOW
    seq: int = 0
    runtime: Runtime = field(default_factory=Runtime)
    told_to_stop: bool = False  # the agent knows that its launcher is to end
    cli: bool = False
    unpublished: bool = False  # the spool holds what the log does not
    report: SeenReport | None = None
    agent_state: SessionState = SessionState.PENDING  # as the session's disk has it
    command_seq: int = 0
    last_input: SeenInput | None = None
    shutdown: bool = False
    events: list[str] = field(default_factory=list)
    clis_started: int = 0

    def observe(self) -> Observed:
        assert self.session is not None
        by = self.now + timedelta(seconds=20) if self.shutdown else None
        announced = "created" in self.events
        return Observed(self.session, self.runtime, self.report, self.last_input, shutdown_by=by, announced=announced)

    def apply(self, action: Action) -> None:
        assert self.session is not None
        match action:
            case PublishCreated():
                if "created" not in self.events:
                    self.events.append("created")
            case PublishState(to=to):
                if self.told != to:
                    self.events.append(str(to))
            case PublishTerminated():
                assert not self.runtime.alive, "terminated while something runs"
                if "terminated" not in self.events:
                    self.events.append("terminated")
            case WriteStatus(status=status):
                self.session = self.session.model_copy(update={"status": status})
            case CloseCommands():
                assert not self.runtime.alive, "its agent is cut off"
            case ForgetResource():
                assert not self.runtime.alive, "forgotten while something runs"
                self.session = None
            case Interrupt() | Configure() | DeleteResource() | PublishSpecChanged() | CloneWorkspace() | SetEgress():
                raise AssertionError(f"nothing here asks for {action}")
            case _:
                self.change_runtime(action)

    def change_runtime(self, action: StartRuntime | RestartAgent | StopRuntime | KillRuntime) -> None:
        match action:
            case StartRuntime(fresh=fresh):
                assert not self.told_to_stop or not self.runtime.alive, "started while it is being stopped"
                self.kill()
                starts = () if fresh else self.runtime.starts
                seq = self.report.seq if self.report else 0
                self.runtime = Runtime(
                    launcher=True,
                    agent=True,
                    starts=(*starts, self.now),
                    report_seq=seq,
                    spooled=self.runtime.spooled,
                )
                self.told_to_stop = False
            case RestartAgent(crashed=crashed):
                assert self.runtime.launcher, "an agent without a launcher"
                starts = (*self.runtime.starts, self.now) if crashed else self.runtime.starts
                self.runtime = dataclasses.replace(self.runtime, agent=True, agent_stale=False, starts=starts)
            case StopRuntime(reason=reason):
                assert reason is not StopReason.HIBERNATED, "stopped because it was thought to be at rest"
                assert self.runtime.launcher, "asked a launcher to stop that is not there"
                self.runtime = dataclasses.replace(self.runtime, stopping_since=self.now)
            case KillRuntime():
                self.kill()

    def kill(self) -> None:
        self.runtime = dataclasses.replace(self.runtime, launcher=False, agent=False)
        self.cli = False

    @property
    def told(self) -> str:
        """The state that the log tells."""
        return next((event for event in reversed(self.events) if event in set(SessionState)), SessionState.PENDING)

    def go(self, state: SessionState) -> None:
        """The agent tells a change, from the state that it knows. It need not know of a rest."""
        if state is not self.agent_state:
            known = (self.agent_state, SessionState.HIBERNATED, SessionState.FAILED)
            assert self.told in known or state is SessionState.PENDING, "a change that nobody told"
            self.events.append(str(state))
            self.agent_state = state

    def start_cli(self) -> None:
        if self.agent_state in (SessionState.HIBERNATED, SessionState.FAILED):
            self.agent_state = SessionState.PENDING
        self.go(SessionState.PENDING)
        self.cli, self.clis_started = True, self.clis_started + 1

    def publish(self, phase: Phase, state: SessionState) -> None:
        if phase is Phase.ENDED:
            self.agent_state = state  # told by whoever ended it
        self.go(state)
        self.seq += 1
        drained = phase is not Phase.READY
        said = Report(cursor=ORIGIN, run=1, phase=phase, state=state, command_seq=self.command_seq, drained=drained)
        self.report, self.unpublished = SeenReport(said, self.seq), False

    def act_by_itself(self) -> bool:
        """What processes do when they are let: one step. False: nothing more."""
        runtime = self.runtime
        stopping = runtime.stopping_since is not None
        if runtime.launcher and runtime.agent and not stopping and not self.cli:
            self.start_cli()
            self.runtime = dataclasses.replace(runtime, spooled=True)
            self.command_seq = self.last_input.seq if self.last_input else 0
            self.publish(Phase.READY, SessionState.IDLE)
        elif runtime.launcher and runtime.agent and not stopping and self.unpublished:
            self.publish(Phase.READY, SessionState.IDLE)
        elif runtime.launcher and runtime.agent and not stopping and self._undealt():
            self.command_seq = self.last_input.seq if self.last_input else 0
            self.publish(Phase.READY, SessionState.ACTIVE)
        elif stopping and runtime.launcher and runtime.agent and not self.told_to_stop:
            self.told_to_stop, self.cli = True, False
        elif stopping and runtime.launcher and self.told_to_stop:
            self.runtime = dataclasses.replace(runtime, launcher=False)
        elif stopping and runtime.agent and self.told_to_stop:
            self.publish(Phase.ENDED, SessionState.HIBERNATED)
            self.runtime = dataclasses.replace(runtime, agent=False, spooled=True)
        else:
            return False
        return True

    def _undealt(self) -> bool:
        return self.last_input is not None and self.last_input.seq > self.command_seq

    def settle(self) -> None:
        """Passes and processes take turns until nothing happens any more."""
        for _ in range(_PASSES):
            if self.session is None:
                return
            plan = decide(self.observe(), self.now)
            for action in plan.actions:
                self.apply(action)
            moved = self.act_by_itself()
            if not plan.actions and not moved:
                if plan.requeue is None:
                    return
                self.now += timedelta(seconds=plan.requeue)
        raise AssertionError(f"no end: {self}")


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(resource(observed_generation=0, spec={"query": "q"}))

    @rule()
    def one_pass(self) -> None:
        self._pass(None)

    @rule(count=st.integers(0, 3))
    def a_pass_that_is_cut(self, count: int) -> None:
        """The supervisor is killed after so many actions of its plan."""
        self._pass(count)
        self.world.runtime = dataclasses.replace(self.world.runtime, agent_stale=self.world.runtime.agent)

    def _pass(self, count: int | None) -> None:
        if self.world.session is not None:
            plan = decide(self.world.observe(), self.world.now)
            for action in plan.actions[:count]:
                self.world.apply(action)

    @rule()
    def a_round(self) -> None:
        self._pass(None)
        self.world.act_by_itself()

    @rule()
    def processes_act(self) -> None:
        self.world.act_by_itself()

    @rule(seconds=st.sampled_from([0.1, 1, 10, 100, 1000]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.world.runtime.agent)
    @rule()
    def agent_dies(self) -> None:
        self.world.runtime = dataclasses.replace(self.world.runtime, agent=False)
        self.world.unpublished = self.world.cli

    @precondition(lambda self: self.world.runtime.launcher)
    @rule()
    def launcher_dies(self) -> None:
        self.world.unpublished = self.world.unpublished or self.world.cli
        self.world.runtime = dataclasses.replace(self.world.runtime, launcher=False)
        self.world.cli = False

    @precondition(lambda self: self.world.cli and self.world.runtime.agent)
    @rule()
    def somebody_else_ends_it(self) -> None:
        """Cleanly: its pod is deleted."""
        self.world.publish(Phase.ENDED, SessionState.HIBERNATED)
        self.world.kill()

    @rule()
    def everything_dies(self) -> None:
        self.world.unpublished = self.world.unpublished or self.world.cli
        self.world.kill()

    @rule()
    def an_input_comes(self) -> None:
        self.world.seq += 1
        self.world.last_input = SeenInput(self.world.seq, self.world.now)

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        session = self.world.session
        if session is not None:
            spec = session.spec.model_copy(update={"lifecycle": Lifecycle(suspend=suspend)})
            metadata = session.metadata.model_copy(update={"generation": session.metadata.generation + 1})
            self.world.session = session.model_copy(update={"spec": spec, "metadata": metadata})

    @rule(shutdown=st.booleans())
    def shutdown(self, shutdown: bool) -> None:
        self.world.shutdown = shutdown

    @invariant()
    def one_cli_at_most_and_only_under_a_launcher(self) -> None:
        assert not self.world.cli or self.world.runtime.launcher

    def teardown(self) -> None:
        """However it came to this: it settles as it should, and a deletion ends it."""
        world = self.world
        world.shutdown = False
        world.settle()
        session = world.session
        assert session is not None
        state = session.status.state
        if session.spec.lifecycle.suspend:
            assert not world.runtime.alive
            assert state in (SessionState.HIBERNATED, SessionState.FAILED)
        elif world.runtime.alive:
            assert world.cli
            assert state in (SessionState.IDLE, SessionState.ACTIVE)
            assert not world._undealt()
        else:
            assert state is SessionState.FAILED or not world._undealt()
            assert state in (SessionState.HIBERNATED, SessionState.FAILED)
        if state is not SessionState.FAILED and not crash_loop(world.runtime.starts, world.now):
            assert not world.unpublished
        metadata = session.metadata.model_copy(update={"deletion_timestamp": world.now})
        world.session = session.model_copy(update={"metadata": metadata})
        world.settle()
        assert [world.session, world.events[0], world.events[-1]] == [None, "created", "terminated"]


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
