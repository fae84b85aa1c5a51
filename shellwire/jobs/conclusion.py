"""Turn the exit of a job's leader into its outcome: status, state, collected output."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from shellwire.jobs.best_effort import best_effort
from shellwire.jobs.model import Outcome, shown
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
    from shellwire.shell.context import Context, Origin

log = logging.getLogger(__name__)

_UNREADABLE = Commit(committed=False, problem="its state could not be read")


class Conclusion:
    """The steps between a leader's exit and the job's outcome.

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

    def begin(self, run: Run, origin: Origin | None, why: Why, *, was_ended: bool) -> None:
        """Fix the outcome of a run that has exited, and commit its state.

        ``was_ended`` says that the daemon ended the job. Then no notice is sent if the shell had
        restored its state only in part.
        """
        reason, ended_by = why
        ended = run.exit or LOST
        unknown = run.exit is None or (ended is LOST and reason == "exited")
        why = ("lost" if unknown else reason, ended_by)
        complete = partial(self._complete, why, ended, run.left, was_ended)
        try:
            commit = self._commit(run, origin)
        except CannotEnter:
            cwd = b"" if origin is None else origin.state.cwd
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

    def _commit(self, run: Run, origin: Origin | None) -> Commit | Draft:
        report, token, tag = run.take_report()
        if origin is None or not self._is_command:
            return Commit(committed=False)
        return self._context.commit(origin, self._engine.dialect, report, token, tag)

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
        self._done = None

    async def wait(self) -> None:
        """Wait for a check that is in progress."""
        if self._check is not None:
            await asyncio.wait([self._check])
