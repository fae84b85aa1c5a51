"""The state machine of one job: queued → running → background → ended."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from shellwire.errors import InternalError, SessionError, SpawnError, WireError
from shellwire.jobs.attempt import attempt
from shellwire.jobs.idle_timer import IdleTimer
from shellwire.jobs.model import Outcome, Snapshot, shown
from shellwire.jobs.readable import Readable
from shellwire.jobs.run import Run
from shellwire.process.reap import LOST
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.shell import Stdio
from shellwire.shell.text import decoded, encoded

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import JobKey, Reason, Request
    from shellwire.shell.context import Context, Origin

log = logging.getLogger(__name__)


class Job(Readable):
    """One command or session, from its request until nothing of it is left.

    ``background`` means that it has been answered for, and that processes which it left live on.
    ``released(job)`` is called when it gives its slot back, ``left(job)`` when it goes on in the
    background, and ``ended(job)`` when nothing can come from it any more; if it had been silenced
    before, again when nothing of it is left.
    """

    def __init__(
        self,
        key: JobKey,
        request: Request,
        context: Context,
        engine: Engine,
        *,
        released: Callable[[Job], None],
        left: Callable[[Job], None],
        ended: Callable[[Job], None],
    ) -> None:
        super().__init__(
            key, request, engine.buffer_bytes, exceeded=lambda: self.end("output_limit")
        )
        self._context = context
        self._engine = engine
        self._released = released
        self._left = left
        self._ended = ended
        self._cwd: bytes | None = request.cwd or context.state.cwd
        self._origin: Origin | None = None
        self.pid: int | None = None
        """The leader's, once there is one."""
        self._run: Run | None = None
        self._ending: asyncio.Task[None] | None = None
        self._reason: Reason = "exited"
        self._lingers = False
        self._is_lost = False
        self._timeout: asyncio.TimerHandle | None = None
        self._idle_timer: IdleTimer | None = None
        self._input_at = 0.0
        self._begun = time.monotonic()
        self._lasted = 0.0
        self._started_at: float | None = None
        self._ended_at: float | None = None

    # Starting ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process. What prevents that becomes the outcome; nothing is raised.

        Another job's end may be what calls this: it must not suffer from a fault in here.
        """
        self.state = "running"
        self._started_at = time.time()
        self._begun = time.monotonic()
        try:
            self._launch()
        except (SpawnError, CannotEnter) as error:
            self._conclude(self._failure(str(error)))
        except WireError as refusal:
            self.refuse(refusal)
        except Exception:
            log.exception("job %s of client %s can't be started", self.key.id, self.key.client_id)
            self.refuse(InternalError("see the daemon's log"))
            self.end("killed")

    def _launch(self) -> None:
        request = self.request
        origin = self._origin = self._begin()
        stdio = Stdio(
            stdin=request.kind == "session" or request.open_stdin or bool(request.stdin_data),
            size=request.size,
        )
        text = self._text()
        taken = self._engine.take(
            origin.state, self._context, stdio, report=request.kind == "command"
        )
        try:
            # It is at work while we make ready to hear of it.
            taken.shell.run(self._engine.dialect.script(taken.patch, text))
            self._run = Run(
                taken.shell,
                self._engine,
                room=self._output.room,
                received=self._output.received,
                exited=self._exited,
                changed=self._settle,
            )
        except BaseException:
            # Nobody would ever end it.
            self._engine.discard(taken.shell)
            raise
        self.pid = self._run.pid
        self._output.pump = self._run.pump
        if self._engine.journal is not None:
            self._engine.journal.began(self.key, request.kind, taken.shell.tag)
        if request.stdin_data:
            self._run.give(request.stdin_data)
        if request.kind == "command" and not request.open_stdin and request.stdin_data:
            self._run.finish_input()
        if request.timeout > 0:
            loop = asyncio.get_running_loop()
            self._timeout = loop.call_later(request.timeout, self.end, "timed_out")
        idle = self._engine.idle_timeout
        if idle is None:
            idle = request.idle_default
        if request.kind == "session" and idle > 0:
            self._idle_timer = IdleTimer(
                idle, self._active_at, self._warn, lambda: self.end("idle")
            )

    @property
    def used_at(self) -> float:
        """When it began, or was used last: by input, output, a viewer that left, a question."""
        return max(self._begun, self.touched_at, self._output.active_at, self._input_at)

    def _active_at(self) -> float:
        # A user who only looks at it uses it.
        return time.monotonic() if self.is_read else self.used_at

    def _warn(self, left: float) -> None:
        ends = f"it ends in {left:.3g} s unless somebody attaches to it"
        self._notify("IDLE_SOON", f"nobody uses this session; {ends}")

    def _begin(self) -> Origin:
        request, cwd = self.request, None
        if request.cwd is not None:
            cwd = os.path.join(self._context.state.cwd, request.cwd)
            if not os.path.isdir(cwd):
                raise CannotEnter(f"cwd {shown(request.cwd)}: there is no such directory")
        terminal = request.size is not None
        origin, gone = self._context.begin(cwd=cwd, env=request.env, terminal=terminal)
        self._cwd = origin.state.cwd
        if gone is not None:
            self._notify("CWD_GONE", f"{shown(gone)} is gone; running in {shown(self._cwd)}")
        return origin

    def _text(self) -> bytes:
        if self.request.command is not None:
            return self._engine.text(self.request.command)
        program = self._engine.user_shell(self._context.state)
        return self._engine.dialect.exec_program(program, interactive=self.request.size is not None)

    def offset(self, given: int, name: str, *, text: bool) -> int:
        """Return where a reader is to begin; where nothing is known it is as it says."""
        if self._is_lost and self.outcome is not None and given > self.buffer.end:
            self.buffer.skip(given)
            self.outcome = replace(self.outcome, at=given)
        return super().offset(given, name, text=text)

    # Input ---------------------------------------------------------------------------------------

    def _running(self) -> Run:
        if self._run is None or self.outcome is not None:
            raise SessionError(f"{self.request.kind} {self.key.id} is not running")
        return self._run

    def send_input(self, data: bytes, *, close: bool) -> None:
        """Send input, and with ``close`` end-of-file behind it.

        Raises SessionError when it takes none, InputFull when too much waits already.
        """
        if self.request.kind == "command" and not (self.request.open_stdin or self.request.size):
            raise SessionError(f"command {self.key.id} was started without open_stdin")
        run = self._running()
        run.send_input(data)
        self._input_at = time.monotonic()
        if close:
            run.finish_input()

    def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size in characters. Raises SessionError when it has none."""
        self._running().resize(cols, rows)
        self.size = (cols, rows)

    def signal(self, number: signal.Signals) -> None:
        """Signal the process group; on a terminal its foreground group. Raises SessionError."""
        self._running().signal(number)

    # Ending --------------------------------------------------------------------------------------

    def end(self, reason: Reason) -> None:
        """End all that it started. The first reason given is the one that is told."""
        ending = self._ending is not None and not self._ending.done()
        if self._run is None or ending or self.state == "ended":
            return
        if self.outcome is None:
            self._reason = reason
        self._ending = asyncio.create_task(self._end(self._run))

    async def _end(self, run: Run) -> None:
        try:
            await run.end()
        finally:
            self._finish(run)
            for step in (run.pump.drain, run.pump.close):
                attempt("what is left of a job's output could not be dropped", step)

    def silence(self) -> None:
        """Drop the output of what it left from now on; that is neither blocked nor ended by it."""
        self._output.discard_output()
        self._fall_silent()

    async def over(self) -> None:
        """Return when the ending that is under way, if any, has been carried out."""
        if self._ending is not None:
            await asyncio.wait([self._ending])

    def refuse(self, refusal: WireError, reason: Reason = "spawn_failed") -> None:
        """End a job that has not run; the error is its terminal message."""
        self._conclude(Outcome(reason=reason, refusal=refusal))

    def mark_lost(self, started_at: float) -> None:
        """Take the place of a job that an earlier daemon, which was killed, had started then.

        Nobody can know how it ended, nor what it wrote.
        """
        self._started_at = started_at
        self._cwd = None
        self._is_lost = True
        self._conclude(Outcome(reason="lost"))

    def _failure(self, error: str) -> Outcome:
        return Outcome(reason="spawn_failed", error=error, cwd=self._context_cwd())

    def _exited(self) -> None:
        self._lasted = time.monotonic() - self._begun
        if self._ending is None and self._run is not None:
            self._finish(self._run)
        # One that was answered for before could not be ended until now.
        self._settle()

    def _finish(self, run: Run) -> None:
        """Drain, commit and tell: the leader has ended, and so has all else if we ended it.

        Whatever fails of that, the job ends.
        """
        if self.outcome is not None:
            return
        failure = f"job {self.key.id} of client {self.key.client_id} ends without all that it left"
        # First: the last output may be more than is allowed, which is a reason.
        attempt(failure, self._output.finish)
        ended = run.exit or LOST
        unknown = run.exit is None or (ended is LOST and self._reason == "exited")
        outcome = Outcome(
            reason="lost" if unknown else self._reason,
            exit_code=ended.code,
            signal=ended.signal,
            left=run.left,
        )
        self._conclude(attempt(failure, partial(self._complete, run, outcome)) or outcome)

    def _complete(self, run: Run, outcome: Outcome) -> Outcome:
        """Commit, and return the outcome with what is known by that."""
        try:
            committed = self._commit(run)
        except CannotEnter:
            return self._failure(f"cwd {shown(self._cwd or b'')}: it can't be entered")
        collected = attempt("what was collected is lost", self._output.collected)
        return replace(outcome, cwd=self._context_cwd(), committed=committed, collected=collected)

    def _commit(self, run: Run) -> bool:
        try:
            report, token, tag = run.take_report()
            if self._origin is None or self.request.kind != "command":
                return False
            commit = self._context.commit(self._origin, self._engine.dialect, report, token, tag)
        except CannotEnter:
            raise
        except Exception:
            # A command may make the report say anything: that must not keep it from ending.
            log.exception("the state left by job %s can't be kept", self.key.id)
            self._notify("STATE_NOT_KEPT", "its state could not be read")
            return False
        # One that was ended while it entered its context lacks a part of it; nothing is wrong.
        if commit.problem is not None and not (commit.committed and self._ending is not None):
            self._notify("STATE_NOT_KEPT", commit.problem)
        return commit.committed

    def _context_cwd(self) -> str | None:
        return decoded(self._context.state.cwd) if self.request.kind == "command" else None

    def _conclude(self, outcome: Outcome) -> None:
        totals = (self.buffer.totals[0], self.buffer.totals[1])
        lasted = self._lasted or time.monotonic() - self._begun
        self.outcome = replace(outcome, at=self.buffer.end, totals=totals, duration=lasted)
        self._lasted = lasted
        self._ended_at = time.time()
        if self._timeout is not None:
            self._timeout.cancel()
        if self._idle_timer is not None:
            self._idle_timer.close()
        # Up to a frame's size each, which the job must not hold for as long as it is remembered.
        command = None if self.request.command is None else encoded(self._command())
        self.request = replace(self.request, command=command, cwd=None, env={}, stdin_data=None)
        self.state = "background"
        for step in self._last_steps(self._run):
            attempt(f"job {self.key.id} of client {self.key.client_id}: a step of its end", step)

    def _last_steps(self, run: Run | None) -> Iterator[Callable[[], object]]:
        """Yield what is to be done when its outcome is known, whatever fails of it."""
        if run is not None:
            yield run.close_input
            yield run.take_report  # if it has not been: what it holds is given back
        yield lambda: self._released(self)
        yield self.advanced
        yield self._output.wake
        yield self._settle
        yield lambda: self._engine.prewarm(self._context)
        if run is not None and self._engine.journal is not None:
            yield partial(self._engine.journal.ended, run.tag)

    def _settle(self) -> None:
        """Become ``ended`` once the last process and the last pipe are gone."""
        if self.state != "background":
            return
        if self._run is None or not self._run.is_left:
            self.state = "ended"
            self._let_go()
            self._fall_silent()
        elif not (self._lingers or self._run.is_looking):
            self._lingers = True
            self._left(self)

    def _let_go(self) -> None:
        """Drop what ran it, which knows it as it knows that.

        So it is gone with its last reference, and thousands do not wait for the collector.
        """
        if self._run is not None:
            self._run.let_go()
        self._run = self._origin = self._idle_timer = self._timeout = None
        self._output.let_go()

    def _fall_silent(self) -> None:
        self.output_ended = True
        attempt("an ended job can't be kept", lambda: self._ended(self))
        self._output.wake()

    # Telling -------------------------------------------------------------------------------------

    def _command(self) -> str:
        if self.request.command is not None:
            return shown(self.request.command)
        return self._engine.user_shell(self._context.state)

    def snapshot(self) -> Snapshot:
        """Return what is known of it now."""
        running = self.state == "running"
        return Snapshot(
            key=self.key,
            kind=self.request.kind,
            state=self.state,
            command=self._command(),
            context=self.request.context,
            cwd=None if self._cwd is None else decoded(self._cwd),
            pid=self.pid,
            pids=self._run.pids if self._run is not None else (),
            size=self.size,
            started_at=self._started_at,
            ended_at=self._ended_at,
            uptime=time.monotonic() - self._begun if running else self._lasted,
            outcome=self.outcome,
            start=self.buffer.start,
            end=self.buffer.end,
            name=self.request.name,
            touched_at=time.time() - (time.monotonic() - self.touched_at),
        )
