"""The launcher's loop: it looks at its children, its connection and its disk, and does what
policy.py says is due.

Standard library only.
"""

import fcntl
import os
import select
import signal
import time
from collections.abc import Callable
from functools import partial

from jelmore_agent import stderr_log
from jelmore_agent.launcher import policy, process
from jelmore_agent.launcher.connection import Connection
from jelmore_agent.launcher.policy import Step
from jelmore_agent.launcher.requests import Bye, CloseStdin, Confirm, Request, Signal, Start, Write
from jelmore_agent.launcher.run import Refusal, Run
from jelmore_agent.launcher.signals import Signals
from jelmore_agent.link.frames import Frame, FrameError

log = partial(stderr_log.log, "launcher")

_DISK_EVERY = 0.5  # seconds between looks at the free disk, while there is a CLI
_ENDING_EVERY = 0.05  # seconds between looks while something is being ended


class Launcher:
    """One turn of its loop looks at everything there is (level-based); what it waits for only wakes it."""

    def __init__(self, socket_path: str, nonce: str, limits: policy.Limits, signals: Signals) -> None:
        now = time.monotonic()
        self._socket_path = socket_path
        self._nonce = nonce
        self._limits = limits
        self._signals = signals
        self._run: Run | None = None
        self._last_run = 0
        self._exits: dict[int, Frame] = {}  # by run: what no agent has confirmed
        self._said_bye = False
        self._stop_asked: float | None = None
        self._ending_since: float | None = None
        self._applied = Step.WAIT  # the last step, which is not done twice
        self._quiet_since = now
        self._connection: Connection | None = None
        self._connected_at = now
        self._last_agent = now  # when the last connection ended that had settled
        self._retry_delay = policy.RETRY_FIRST
        self._retry_at = now
        self._disk_at = now

    def stop(self) -> None:
        """SIGTERM: the agent is asked to end the CLI cleanly; if nobody does, the launcher does it."""
        if self._stop_asked is None:
            self._stop_asked = time.monotonic()
            log("stopping")
            self._send({"type": "stopping"})

    def run(self) -> None:
        """Returns when there is nothing more to do for this launcher."""
        while True:
            self._look_after_children()
            now = time.monotonic()
            self._look_after_connection(now)
            self._look_after_disk(now)
            if self._take_step(now) is Step.LEAVE:
                self._leave()
                return
            self._wait(self._timeout(now))

    # What each turn looks at

    def _look_after_children(self) -> None:
        """The CLI's end is reported when nothing that it started is left, so that the spool has its last line
        then.
        """
        run = self._run
        while True:
            for pid, status in process.reap():
                if run is not None and pid == run.pid:
                    run.status = status
            if run is None or run.status is None:
                return
            if not process.kill_children():
                break
            if not any(True for _ in process.reap()):
                return  # what was killed takes its time; SIGCHLD or the next turn comes back to it
        self._run = None
        self._ending_since = None
        self._quiet_since = time.monotonic()
        exited = run.close()
        self._exits[run.number] = exited
        log("cli exited", run=run.number, code=exited["code"], signal=exited["signal"])
        self._send(exited)

    def _look_after_connection(self, now: float) -> None:
        if self._connection is not None or now < self._retry_at:
            return
        try:
            self._connection = Connection(self._socket_path)
        except OSError:
            self._retry_later(now, lasted=0)
            return
        self._connected_at = now
        run = self._run
        self._send(
            {
                "type": "hello",
                "nonce": self._nonce,
                "pid": os.getpid(),
                "run": None if run is None else {"number": run.number, "pid": run.pid},
                "exits": list(self._exits.values()),
                "stopping": self._stop_asked is not None,
                "last_run": self._last_run,
            }
        )
        if run is not None and run.paused:
            self._send({"type": "disk", "paused": True})

    def _look_after_disk(self, now: float) -> None:
        run = self._run
        if run is None or now < self._disk_at:
            return
        self._disk_at = now + _DISK_EVERY
        ending = self._ending_since is not None
        paused = policy.must_pause(run.free_disk(), self._limits.min_free, paused=run.paused, ending=ending)
        if paused != run.paused:
            run.pause(paused)
            log("disk", paused=paused, run=run.number)
            self._send({"type": "disk", "paused": paused})

    def _take_step(self, now: float) -> Step:
        seen = policy.Observed(
            now=now,
            run_alive=self._run is not None,
            unconfirmed=bool(self._exits),
            said_bye=self._said_bye,
            stop_asked=self._stop_asked,
            alone_since=None if self._connection is not None else self._last_agent,
            ending_since=self._ending_since,
            quiet_since=self._quiet_since,
        )
        step = policy.decide(seen, self._limits)
        if step is not self._applied:
            self._applied = step
            self._apply(step, now)
        return step

    def _apply(self, step: Step, now: float) -> None:
        run = self._run
        if run is None or step is Step.WAIT:
            return
        log("ending the cli", step=step.name.lower(), run=run.number)
        match step:
            case Step.INTERRUPT:
                self._ending_since = now
                run.send_signal(signal.SIGINT)
            case Step.CLOSE_STDIN:
                run.close_stdin()
            case Step.TERMINATE:
                run.send_signal(signal.SIGTERM)
            case _:
                run.send_signal(signal.SIGKILL)

    def _leave(self) -> None:
        log("leaving", unconfirmed=list(self._exits))
        if self._connection is not None:
            self._connection.close()

    # What wakes it

    def _timeout(self, now: float) -> float | None:
        """Seconds until something is due; None while an agent is there and no CLI: then nothing ever is."""
        due = []
        if self._connection is None:
            due.append(self._retry_at - now)
        if self._run is not None:
            due.append(self._disk_at - now)
            if self._run.status is not None:
                due.append(_ENDING_EVERY)
        if self._stop_asked is not None or self._ending_since is not None:
            due.append(_ENDING_EVERY)
        return max(0.0, min(due)) if due else None

    def _wait(self, timeout: float | None) -> None:
        ready: dict[int, Callable[[], None]] = {self._signals.fileno(): self._on_signal}
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._connection is not None:
            ready[self._connection.fileno()] = self._on_agent
            unsent = select.POLLOUT if self._connection.has_unsent else 0
            poll.register(self._connection, select.POLLIN | unsent)
        if self._run is not None:
            if self._run.writable is not None:
                ready[self._run.writable] = self._on_stdin
                poll.register(self._run.writable, select.POLLOUT)
            if self._run.stderr_open:
                ready[self._run.stderr] = self._run.read_stderr
                poll.register(self._run.stderr, select.POLLIN)
        for descriptor, _ in poll.poll(None if timeout is None else timeout * 1000):
            ready[descriptor]()

    def _on_signal(self) -> None:
        if self._signals.stop_asked():
            self.stop()

    def _on_stdin(self) -> None:
        run = self._run
        if run is None:
            return
        written, lost = run.write_stdin()
        for token in written:
            self._send({"type": "written", "token": token, "run": run.number})
        for token in lost:
            self._refuse(run.number, "the CLI closed its stdin", token)

    def _on_agent(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.flush()
            for request in connection.requests():
                self._carry_out(request, connection)
        except ConnectionError:
            self._disconnect(connection)
        except FrameError as error:
            log("agent breaks the protocol", error=str(error))
            self._disconnect(connection)

    # What the agent asks for

    def _carry_out(self, request: Request, connection: Connection) -> None:
        match request:
            case Start():
                self._start(request, connection.take_descriptor())
            case Confirm(run=number):
                self._exits.pop(number, None)
            case Bye():
                self._said_bye = True
            case Write():
                self._write(request)
            case CloseStdin(run=number):
                if run := self._alive(number):
                    run.close_stdin()
            case Signal(run=number):
                if run := self._alive(number):
                    run.send_signal(request.signal)

    def _alive(self, number: int) -> Run | None:
        return self._run if self._run is not None and self._run.number == number else None

    def _write(self, write: Write) -> None:
        run = self._alive(write.run)
        try:
            if run is None:
                raise Refusal(f"run {write.run} is not alive")
            run.enqueue(write.token, write.line)
        except Refusal as refusal:
            self._refuse(write.run, str(refusal), write.token)
        self._on_stdin()

    def _start(self, start: Start, spool: int) -> None:
        try:
            self._check_start(start, spool)
            self._run = Run(start, _environment(start), spool)
        except (Refusal, OSError, UnicodeEncodeError) as error:
            os.close(spool)
            self._refuse(start.run, str(error))
            return
        self._last_run = start.run
        self._applied = Step.WAIT
        self._disk_at = time.monotonic()
        log("cli started", run=start.run, pid=self._run.pid)
        self._send({"type": "started", "run": start.run, "pid": self._run.pid})

    def _check_start(self, start: Start, spool: int) -> None:
        if self._run is not None:
            raise Refusal(f"run {self._run.number} is still alive")
        if self._stop_asked is not None or self._said_bye:
            raise Refusal("the launcher is stopping")
        if start.run <= self._last_run:
            raise Refusal(f"run {self._last_run} was started before: a new run needs a higher number")
        flags = fcntl.fcntl(spool, fcntl.F_GETFL)
        if not flags & os.O_APPEND or flags & os.O_ACCMODE == os.O_RDONLY:
            raise Refusal("the spool's descriptor is not open for appending")

    # The connection

    def _refuse(self, number: int, message: str, token: str | None = None) -> None:
        self._send({"type": "refused", "run": number, "token": token, "message": message})

    def _send(self, frame: Frame) -> None:
        """To the agent, if there is one; what it misses is in the next hello, or is asked for again."""
        if self._connection is not None:
            self._connection.send(frame)

    def _disconnect(self, connection: Connection) -> None:
        connection.close()
        self._connection = None
        now = time.monotonic()
        lasted = now - self._connected_at
        if lasted >= policy.SETTLED:
            self._last_agent = now
        self._retry_later(now, lasted)

    def _retry_later(self, now: float, lasted: float) -> None:
        self._retry_delay = policy.next_retry(self._retry_delay, lasted)
        self._retry_at = now + self._retry_delay


def _environment(start: Start) -> dict[bytes, bytes]:
    """The launcher's own, without what is Jelmore's, under what the agent gives; null removes a name."""
    env = {name: value for name, value in os.environb.items() if not name.startswith(b"JELMORE_")}
    for name, value in start.env.items():
        if value is None:
            env.pop(name.encode(), None)
        else:
            env[name.encode()] = value.encode()
    return env
