"""Turn the exit or report of a job's leader into its outcome: status, state, collected output."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.model import NOT_ENDED, Outcome, shown
from shellwire.process.reap import LOST, Exit
from shellwire.shell.context import Commit, Draft
from shellwire.shell.dialect import CannotEnter
from shellwire.shell.text import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.jobs.clock import JobClock
    from shellwire.jobs.engine import Engine
    from shellwire.jobs.model import JobKey, Reason, Request, Why
    from shellwire.jobs.readers import Readers
    from shellwire.jobs.run import Run
    from shellwire.jobs.timers import JobTimers
    from shellwire.shell.context import Context, Origin

log = logging.getLogger(__name__)

_UNREADABLE = Commit(committed=False, problem="its state could not be read")


class Conclusion:
    """The steps between a leader's exit, or its report of the status, and the job's outcome.

    ``done(outcome)`` is called once, even if a step fails: within ``begin``, unless the command
    defined new functions. A separate shell reads those back first, which takes milliseconds to
    seconds. The event loop keeps running meanwhile; exit code and reason no longer change.
    """

    __slots__ = (
        "_check",
        "_clock",
        "_context",
        "_done",
        "_engine",
        "_failure",
        "_is_command",
        "_readers",
        "has_begun",
        "origin",
        "timers",
        "why",
    )

    def __init__(
        self,
        key: JobKey,
        request: Request,
        context: Context,
        engine: Engine,
        readers: Readers,
        clock: JobClock,
        done: Callable[[Outcome], None],
    ) -> None:
        self._failure = f"job {key.id} of client {key.client_id}: its outcome is incomplete"
        # Not the request: it may have a frame's size, and an ended job is retained.
        self._is_command = request.kind == "command"
        self._context = context
        self._engine = engine
        self._readers = readers
        self._clock = clock
        self._done: Callable[[Outcome], None] | None = done
        self._check: asyncio.Task[frozenset[bytes]] | None = None
        self.origin: Origin | None = None
        """What the command started from."""
        self.timers: JobTimers | None = None
        """Those of the run: they are stopped as soon as its outcome is fixed."""
        self.why: Why = NOT_ENDED
        """Why the job ends, and who ends it."""
        self.has_begun = False
        """Whether exit code and reason are fixed."""

    def early_exit(self, run: Run) -> Exit | None:
        """Return the exit that the leader of ``run`` has reported, if ``begin_early`` may follow.

        None if the outcome is fixed already, and while the daemon ends the job: then the leader's
        exit decides. Otherwise all that the leader has written is read now.
        """
        if self.has_begun or self.why != NOT_ENDED:
            return None
        ended = run.reported_exit()
        if ended is not None:
            self._readers.output.drain()
        # That output may have exceeded the output limit, which sets the reason.
        return ended if self.why == NOT_ENDED else None

    def begin_early(self, run: Run, ended: Exit) -> None:
        """Fix the outcome of a run that is about to exit, and commit its state."""
        self._begin(run, ended)

    def begin(self, run: Run) -> None:
        """Fix the outcome of a run that has exited, and commit its state."""
        self._stop_timers()
        # That output may exceed the output limit, which sets the reason.
        self._readers.output.drain()
        self._begin(run, run.exit)

    def _begin(self, run: Run, ended: Exit | None) -> None:
        self.has_begun = True
        self._stop_timers()
        self._clock.exit()
        best_effort("the output could not be ended", self._readers.output.finish)
        reason, ended_by = self.why
        # No notice then if the shell had restored its state only in part.
        was_ended = reason != "exited"
        if ended is None or (ended is LOST and not was_ended):
            reason = "lost"
        ended = ended or LOST
        complete = partial(self._complete, (reason, ended_by), ended, run.left, was_ended)
        try:
            commit = self._commit(run)
        except CannotEnter:
            cwd = b"" if self.origin is None else self.origin.state.cwd
            self._conclude(self.not_spawned(f"cwd {shown(cwd)}: it can't be entered"))
            return
        except Exception:
            # A command can put anything into its report; the job must end all the same.
            log.exception("%s", self._failure)
            commit = _UNREADABLE
        if isinstance(commit, Draft):
            functions = self._engine.unreadable(commit.state, commit.functions)
            self._check = asyncio.create_task(functions)
            self._check.add_done_callback(partial(self._checked, commit, complete))
        else:
            complete(commit)

    def _stop_timers(self) -> None:
        if self.timers is not None:
            self.timers.stop()

    def _commit(self, run: Run) -> Commit | Draft:
        report, token, tag = run.take_report()
        if self.origin is None or not self._is_command:
            return Commit(committed=False)
        return self._context.commit(self.origin, self._engine.dialect, report, token, tag)

    def _checked(
        self,
        draft: Draft,
        complete: Callable[[Commit], None],
        check: asyncio.Task[frozenset[bytes]],
    ) -> None:
        try:
            broken = frozenset(draft.functions) if check.cancelled() else check.result()
            commit = self._context.commit_draft(draft, broken)
        except Exception:
            log.exception("%s", self._failure)
            commit = _UNREADABLE
        complete(commit)

    def _complete(
        self, why: Why, ended: Exit, left: tuple[int, ...], was_ended: bool, commit: Commit
    ) -> None:
        problem = commit.problem
        if problem is not None and not (commit.committed and was_ended):
            best_effort(self._failure, lambda: self._readers.notify("STATE_NOT_KEPT", problem))
        collected = best_effort("the collected output is lost", self._readers.output.collected)
        reason, ended_by = why
        self._conclude(
            self.outcome(
                reason,
                exit_code=ended.code,
                signal=ended.signal,
                left=left,
                ended_by=ended_by,
                cwd=self._cwd(),
                committed=commit.committed,
                collected=collected,
            )
        )

    def _conclude(self, outcome: Outcome) -> None:
        if self._done is not None:
            self._done(outcome)

    def outcome(self, reason: Reason, **fields: Any) -> Outcome:
        """Return an outcome, with the output's size and the duration as they are now."""
        buffer = self._readers.buffer
        totals = (buffer.totals[0], buffer.totals[1])
        duration = self._clock.end()
        return Outcome(reason, at=buffer.end, totals=totals, duration=duration, **fields)

    def not_spawned(self, error: str) -> Outcome:
        """Return the outcome of a job whose command never ran."""
        return self.outcome("spawn_failed", error=error, cwd=self._cwd())

    def _cwd(self) -> str | None:
        return decoded(self._context.state.cwd) if self._is_command else None

    def skip_check(self) -> None:
        """Stop reading functions back: drop the new functions, commit all other changes."""
        if self._check is not None:
            self._check.cancel()

    def free(self) -> None:
        """Break the reference cycle with the job, which has ended."""
        self._done = self.origin = self.timers = None

    async def wait(self) -> None:
        """Wait for a check that is in progress."""
        if self._check is not None:
            await asyncio.wait([self._check])
