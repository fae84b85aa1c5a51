"""Attribute orphans, which the daemon adopts as a subreaper, to the jobs they come from."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.process import children, proc
from shellwire.process.kill import TAG_NAME, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.proc import Process
    from shellwire.process.reap import Exit, Reaper

# Seconds to wait for an environment. It reads as empty during execve(2), and for good with
# `env -i`.
_EXEC_SECONDS = 0.05

# Seconds between two surveys of the jobs' descendants, and between the start of a second job and
# the first survey: most jobs have ended by then.
_INTERVAL = 0.1


class OrphanTracker:
    """The orphans that the daemon has adopted, and the job that each comes from.

    A process belongs to a job by its session, its tag or its parents. An orphan that has none of
    these any more (``env -i setsid -f``) belongs to a job if an earlier survey saw it below that
    job, or if no other job has lived since the last scan and the orphan can't come from an
    unclaimed process. Every other orphan is unclaimed: it is listed, and never ended on a guess.
    Use this from the loop's thread only. Where orphans aren't adopted it does nothing.
    """

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper
        self._loop = asyncio.get_running_loop()
        self._session = proc.session(0)
        self._trees: dict[bytes, Tree] = {}
        self._callbacks: dict[bytes, Callable[[int], None]] = {}
        # The jobs that have lived at some time since the last scan.
        self._recent: set[Tree] = set()
        self._unclaimed: dict[int, Process] = {}
        # Orphans that already existed when a job started, by the job's tag.
        self._preexisting: dict[bytes, frozenset[tuple[int, float]]] = {}
        # Whether a process of no job may have left orphans since the last scan: an unclaimed one
        # that has ended, and at first what ran for the login environment.
        self._others_ended = True
        # New orphans with an empty environment, and until when execve(2) may still set it.
        self._undecided: dict[tuple[int, float], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._surveying: asyncio.Task[None] | None = None
        self._surveyed_at = 0.0

    # Jobs ----------------------------------------------------------------------------------------

    def job_started(self, tree: Tree, found: Callable[[int], None]) -> None:
        """Register a job that has started; call ``found(pid)`` for each of its orphans."""
        self._trees[tree.tag] = tree
        self._callbacks[tree.tag] = found
        if self._unclaimed or self._undecided:
            present = {each.identity for each in self._unclaimed.values()}
            self._preexisting[tree.tag] = frozenset(present | self._undecided.keys())
        self._recent.add(tree)
        if len(self._trees) > 1:
            self._survey_later(_INTERVAL)

    def job_ended(self, tree: Tree) -> None:
        """Forget a job; all its processes have ended."""
        self._trees.pop(tree.tag, None)
        self._callbacks.pop(tree.tag, None)
        self._preexisting.pop(tree.tag, None)
        if not self._undecided:
            # The last scan came after its end: no later orphan is its. The next job may have
            # started before, when this one's leader had only reported.
            self._recent.discard(tree)

    def close(self) -> None:
        """Cancel all surveys."""
        if self._timer is not None:
            self._timer.cancel()
        if self._surveying is not None:
            self._surveying.cancel()

    # Scanning the adopted orphans ----------------------------------------------------------------

    def scan_before_start(self) -> None:
        """Attribute all earlier orphans, so that none passes for one of the next job's.

        An orphan has lived below a job or an unclaimed process: without these there is none, and
        no scan.
        """
        if self._trees or self._unclaimed or self._undecided or self._others_ended:
            self.scan()
        else:
            self._recent.clear()

    def note_other(self) -> None:
        """Record that a process of no job has ended; it may have left orphans."""
        self._others_ended = True

    def scan(self) -> bool:
        """Attribute the orphans adopted since the last scan.

        Call this when a process of a job has ended. Returns True if some orphan can't be attributed
        yet: then scan again soon.
        """
        if not self._reaper.adopts:
            return False
        undecided: dict[tuple[int, float], float] = {}
        new = self._new()
        for tree in self._trees.values() if new else ():
            tree.verify()
        only = self._only_source() if new else None
        for process in new:
            owner = self._owner(process) or only
            if owner is not None:
                owner.remember(process)
                self._callbacks[owner.tag](process.pid)
            elif (until := self._undecided_until(process)) is not None:
                undecided[process.identity] = until
            else:
                self._leave_unclaimed(process)
        self._undecided = undecided
        if not undecided:
            self._recent = set(self._trees.values())
            self._others_ended = False
        if any(tree.relies_on_session for tree in self._recent):
            self._survey_later(max(0.0, self._surveyed_at + _INTERVAL - self._loop.time()))
        return bool(undecided)

    def unclaimed(self, tree: Tree) -> list[int]:
        """Return the pids of the unclaimed orphans that this job may have left.

        They were started later than the job, and did not exist yet when it started.
        """
        before = self._preexisting.get(tree.tag, frozenset())
        return sorted(
            pid
            for pid, each in self._unclaimed.items()
            if each.started >= tree.began and each.identity not in before
        )

    def _new(self) -> list[Process]:
        found = [
            proc.inspect(pid) for pid in children.adopted_children() if not self._reaper.owns(pid)
        ]
        return [
            each
            for each in found
            # A child in our own session comes from no job: other code of the daemon started it.
            if each is not None and not each.zombie and each.session != self._session
        ]

    def _only_source(self) -> Tree | None:
        """Return the only job that new orphans can come from; None if that is uncertain."""
        if len(self._recent) != 1 or self._others_ended:
            return None
        (tree,) = self._recent
        if tree.tag not in self._trees or any(map(_may_have_forked, self._unclaimed.values())):
            return None
        return tree

    def is_tracked(self, tag: bytes) -> bool:
        """Whether the job with this tag lives."""
        return tag in self._trees

    def tag_of(self, process: Process) -> bytes | None:
        """Return the tag of the living job that a process belongs to, or None."""
        for tree in self._trees.values():
            tree.verify()
        owner = self._owner(process)
        return None if owner is None else owner.tag

    def _owner(self, process: Process) -> Tree | None:
        for tree in self._trees.values():
            if tree.knows(process):
                return tree
        tag = proc.environ_value(process.pid, TAG_NAME)
        return None if tag is None else self._trees.get(tag)

    def _undecided_until(self, process: Process) -> float | None:
        """Return until when ``process`` may still get an environment, None if it no longer can."""
        if not proc.has_empty_environ(process.pid):
            return None
        until = self._undecided.get(process.identity, self._loop.time() + _EXEC_SECONDS)
        return until if self._loop.time() < until else None

    def _leave_unclaimed(self, process: Process) -> None:
        def ended(_exit: Exit) -> None:
            self._unclaimed.pop(process.pid, None)
            # Its children have become our own.
            self._others_ended = True

        self._unclaimed[process.pid] = process
        # Until we reap it, no other process gets its pid.
        self._reaper.adopt(process.pid, ended)

    # Surveying the descendants of each job -------------------------------------------------------

    def _survey_later(self, delay: float) -> None:
        if self._timer is None and self._reaper.adopts:
            self._timer = self._loop.call_later(delay, self._begin_survey)

    def _begin_survey(self) -> None:
        self._timer = None
        if not self._trees:
            return
        if self._surveying is None or self._surveying.done():
            self._surveyed_at = self._loop.time()
            self._surveying = asyncio.create_task(self._survey())
        else:
            self._survey_later(_INTERVAL)

    async def _survey(self) -> None:
        """Remember the descendants of each job, for they may lose their parents later."""
        seen: dict[Tree, list[Process]] = {tree: [] for tree in self._trees.values()}
        for tree in seen:
            tree.verify()
        below: dict[int, Tree] = {}
        async for process in children.descendants(os.getpid()):
            owner = below.get(process.ppid) or self._owner(process)
            if owner in seen:
                below[process.pid] = owner
                seen[owner].append(process)
        for tree, processes in seen.items():
            tree.set_known(processes)


def _may_have_forked(process: Process) -> bool:
    """Whether a new orphan may come from an unclaimed process.

    It can't if that process lives, has no children, has reaped none since it was first seen, and
    does not let the kernel reap them silently (SIGCHLD ignored, sigaction(2)).
    """
    if sys.platform == "win32":
        return True
    now = proc.inspect(process.pid)
    state = proc.signal_state(process.pid)
    return (
        now is None
        or now.zombie  # its children have become our own
        or state is None
        or now.reaped != process.reaped
        or state.ignores(signal.SIGCHLD)
        or bool(children.children(process.pid))
    )
