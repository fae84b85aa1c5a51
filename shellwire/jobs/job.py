"""The state machine of one job: queued → running → background → ended."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from shellwire.errors import InternalError, SessionError, SpawnError, WireError
from shellwire.jobs.best_effort import best_effort, each_best_effort
from shellwire.jobs.clock import JobClock
from shellwire.jobs.conclusion import Conclusion
from shellwire.jobs.launch import launch, origin_of, send_first_input
from shellwire.jobs.model import Outcome, shown
from shellwire.jobs.readers import Readers
from shellwire.jobs.timers import JobTimers
from shellwire.shell.dialect import CannotEnter

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    from shellwire.jobs.buffer import Buffer
    from shellwire.jobs.engine import Engine
    from shellwire.jobs.leaving import LeavingLeaders
    from shellwire.jobs.model import EndedBy, JobKey, Reason, Request, State
    from shellwire.jobs.run import Run
    from shellwire.shell.context import Context

log = logging.getLogger(__name__)


class Job:
    """One command or session, from its request until all its processes have ended.

    A job in the state ``background`` has its outcome, but some of its processes still run.
    ``on_released(job)`` is called when the job frees its slot, ``on_background(job)`` when it is
    known to have background processes, and ``on_ended(job)`` when it can write no more output; if
    that was because its output was discarded, once more when the last process has ended.
    """

    def __init__(
        self,
        key: JobKey,
        request: Request,
        context: Context,
        engine: Engine,
        *,
        leaving: LeavingLeaders,
        on_released: Callable[[Job], None],
        on_background: Callable[[Job], None],
        on_ended: Callable[[Job], None],
    ) -> None:
        self.key = key
        self.request = request
        self.state: State = "queued"
        self.size = request.size
        """(cols, rows) of the terminal; None without one."""
        self.readers = Readers(
            request, engine.buffer_bytes, exceeded=lambda: self.end("output_limit")
        )
        self.context = context
        self._engine = engine
        self._leaving = leaving
        self._on_released = on_released
        self._on_background = on_background
        self._on_ended = on_ended
        self.cwd: bytes | None = request.cwd or context.state.cwd
        """Where the job starts; None if that is not known."""
        self.pid: int | None = None
        """The leader's pid; None before the job starts."""
        self._run: Run | None = None
        self._ending: asyncio.Task[None] | None = None
        self.clock = JobClock()
        self._conclusion = Conclusion(
            key, request, context, engine, self.readers, self.clock, self._conclude
        )
        self.has_background = False
        """Whether a process or a pipe of the job is known to be left after its leader's exit."""

    @property
    def outcome(self) -> Outcome | None:
        """How the job ended; None until then."""
        return self.readers.outcome

    @property
    def buffer(self) -> Buffer:
        """The retained output."""
        return self.readers.buffer

    @property
    def command(self) -> str:
        """The beginning of the command's text; for a plain session the path of its shell."""
        if self.request.command is not None:
            return shown(self.request.command)
        return self._engine.user_shell(self.context.state)

    @property
    def pids(self) -> tuple[int, ...]:
        """The leader while it runs, and the background processes."""
        return self._run.pids if self._run is not None else ()

    # Starting ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the process. A failure becomes the outcome.

        Nothing is raised, because the end of another job may call this.
        """
        self.state = "running"
        self.clock.start()
        try:
            self._start()
        except (SpawnError, CannotEnter) as error:
            self._conclude(self._conclusion.not_spawned(str(error)))
        except WireError as refusal:
            self.refuse(refusal)
        except Exception:
            log.exception("job %s of client %s can't be started", self.key.id, self.key.client_id)
            self.refuse(InternalError("see the daemon's log"))
            self.end("killed")

    def _start(self) -> None:
        request, engine = self.request, self._engine
        origin = self._conclusion.origin = origin_of(request, self.context, self.readers)
        self.cwd = origin.state.cwd
        self._run = launch(
            request,
            origin,
            self.context,
            engine,
            self.readers.output,
            send=partial(self._leaving.send_after, self.key.client, self.context),
            reported=self._reported,
            exited=self._exited,
            changed=self._settle,
        )
        self.pid = self._run.pid
        engine.lineage.started(self.key, self._run.tag)
        self._run.record_start(self.key, request.kind)
        # Only now: if this fails, ``start`` ends the process.
        send_first_input(request, self._run)
        self._conclusion.timers = JobTimers(request, engine, self.readers, self.used_at, self.end)

    def used_at(self) -> float:
        """Return the monotonic time of the last start, input, output, request or detaching."""
        readers = self.readers
        return max(self.clock.used_at, readers.touched_at, readers.output.active_at)

    # Input ---------------------------------------------------------------------------------------

    def _running(self) -> Run:
        has_ended = self.outcome is not None or self._conclusion.has_begun
        if self._run is None or has_ended:
            state = "has ended" if has_ended else "is not running"
            raise SessionError(f"{self.request.kind} {self.key.id} {state}")
        return self._run

    def send_input(self, data: bytes, *, close: bool) -> None:
        """Send input; with ``close``, followed by end-of-file.

        Raises SessionError if the job takes no input, InputFull if too much input waits already.
        """
        if self.request.kind == "command" and not (self.request.open_stdin or self.request.size):
            raise SessionError(f"command {self.key.id} was started without open_stdin")
        run = self._running()
        run.send_input(data)
        self.clock.use()
        if close:
            run.finish_input()

    def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size in characters. Raises SessionError if the job has no terminal."""
        self._running().resize(cols, rows)
        self.size = (cols, rows)

    def signal(self, number: signal.Signals) -> None:
        """Signal the process group; on a terminal its foreground group. Raises SessionError."""
        self._running().signal(number)

    # Ending --------------------------------------------------------------------------------------

    def end(self, reason: Reason, ended_by: EndedBy | None = None) -> None:
        """End all processes of the job. Of several reasons the outcome has the first one.

        Once the shell has reported or exited, ``reason`` no longer changes the outcome.
        """
        self._conclusion.skip_check()
        ending = self._ending is not None and not self._ending.done()
        if self._run is None or ending or self.state == "ended":
            return
        if self.outcome is None:
            self._conclusion.why = (reason, ended_by)
        self._ending = asyncio.create_task(self._end(self._run))

    async def _end(self, run: Run) -> None:
        try:
            await run.end()
        finally:
            self._finish(run)
            await self._conclusion.wait()
            steps = run.pump.drain, run.pump.close
            each_best_effort("the remaining output of a job could not be dropped", steps)

    def discard_output(self) -> None:
        """Discard the output of background processes from now on, without blocking them."""
        self.readers.output.discard_output()
        self._end_output()

    async def wait_ended(self) -> None:
        """Wait for an ending that is in progress."""
        self._conclusion.skip_check()
        if self._ending is not None:
            await asyncio.wait([self._ending])

    def refuse(
        self, refusal: WireError, reason: Reason = "spawn_failed", ended_by: EndedBy | None = None
    ) -> None:
        """End a job that never ran; ``refusal`` is its terminal message."""
        self._conclude(self._conclusion.outcome(reason, refusal=refusal, ended_by=ended_by))

    def mark_lost(self, started_at: float) -> None:
        """Make this the record of a job that a crashed daemon started at ``started_at`` (epoch)."""
        self.clock.started_at = started_at
        self.cwd = None
        self.readers.output_is_lost = True
        self._conclude(self._conclusion.outcome("lost"))

    def _reported(self) -> None:
        """Conclude before the leader's exit, if that can't change the outcome any more."""
        has_room = self._leaving.has_room_for(self.key.principal)
        if self._run is None or self.outcome is not None or not has_room:
            return
        ended = self._conclusion.early_exit(self._run)
        if ended is not None:
            self._leaving.add(self, self._run, ended)
            self._conclusion.begin_early(self._run, ended)

    def _exited(self) -> None:
        self.clock.exit()
        run = self._run
        if self._leaving.remove(self) and run is not None:
            best_effort("the end of a job's output could not be read", run.pump.drain)
            if self.outcome is not None:
                best_effort("the end of a job is not in the journal", run.record_end)
        elif self._ending is None and run is not None:
            self._finish(run)
        self._settle()

    def _finish(self, run: Run) -> None:
        """Begin the conclusion, once, after the leader's exit. A failed step is only logged."""
        if self.outcome is None and not self._conclusion.has_begun:
            self._conclusion.begin(run)

    def _conclude(self, outcome: Outcome) -> None:
        self.readers.outcome = outcome
        self.request = self.request.trimmed()
        self.state = "background"
        name = f"job {self.key.id} of client {self.key.client_id}"
        each_best_effort(f"{name}: a step after its outcome failed", self._last_steps(self._run))

    def _last_steps(self, run: Run | None) -> Iterator[Callable[[], object]]:
        """Yield the steps after the outcome; each is run even if another one fails."""
        if run is not None:
            yield run.close_input
            yield run.take_report  # closes its descriptors, unless it was taken before
        yield partial(self._on_released, self)
        yield self.readers.resume_reading
        yield self.readers.output.wake
        yield self._settle
        yield partial(self._engine.prewarm, self.context)
        if run is not None and self not in self._leaving:
            yield run.record_end

    def _settle(self) -> None:
        """Become ``ended`` once the last process and the last pipe are gone."""
        if self.state != "background":
            return
        if self._run is None or not self._run.is_alive:
            self.state = "ended"
            self._free()
            self._end_output()
        elif not (self.has_background or self._run.is_scanning or self in self._leaving):
            self.has_background = True
            self._on_background(self)

    def _free(self) -> None:
        """Break the reference cycles, so that nothing waits for the garbage collector."""
        if self._run is not None:
            self._run.stop_tracking()
        self._run = None
        self._conclusion.free()
        self.readers.output.detach()

    def _end_output(self) -> None:
        self.readers.output_ended = True
        best_effort("an ended job can't be retained", partial(self._on_ended, self))
        self.readers.output.wake()
