"""Whose the processes are that have become the daemon's own children."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.process import proc
from shellwire.process.kill import TAG_NAME, Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.process.proc import Process
    from shellwire.process.reap import Exit, Reaper

# A process shows no environment while execve(2) gives it one; `env -i` leaves it without for good.
_BECOMING = 0.05

# Seconds between two looks at all that is below the jobs, and from the start of a job beside others
# to the first: most have ended by then.
_APART = 0.1


class Strays:
    """Attributes each orphan that the daemon adopts to the job that it comes from.

    A process is a job's by its session, its tag or its parents. One that has none of these any more
    (``env -i setsid -f``) is a job's if it was seen below that job before, or if no other job has
    lived at all since the last look, and it can't come from an unclaimed one. Every other one is
    unclaimed: it is listed, and never ended on a guess. Use it from the loop's thread only; where
    orphans aren't adopted it does nothing.
    """

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper
        self._trees: dict[bytes, Tree] = {}
        self._found: dict[bytes, Callable[[int], None]] = {}
        # The jobs that have lived at some time since the last look.
        self._lived: set[Tree] = set()
        self._unclaimed: dict[int, Process] = {}
        # Those that were there already when a job started, by its tag.
        self._before: dict[bytes, frozenset[tuple[int, float]]] = {}
        # Whether an unclaimed process has ended since the last look.
        self._bereft = False
        # New orphans that show no environment, and until when they may still get one.
        self._becoming: dict[tuple[int, float], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._surveying: asyncio.Task[None] | None = None
        self._surveyed_at = 0.0

    # Jobs ----------------------------------------------------------------------------------------

    def began(self, tree: Tree, found: Callable[[int], None]) -> None:
        """A job has started; ``found(pid)`` is called for each orphan that comes from it."""
        self._trees[tree.tag] = tree
        self._found[tree.tag] = found
        there = {each.identity for each in self._unclaimed.values()}
        self._before[tree.tag] = frozenset(there | self._becoming.keys())
        self._lived.add(tree)
        if len(self._trees) > 1:
            self._survey_later(_APART)

    def ended(self, tree: Tree) -> None:
        """Nothing of a job is left."""
        self._trees.pop(tree.tag, None)
        self._found.pop(tree.tag, None)
        self._before.pop(tree.tag, None)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._surveying is not None:
            self._surveying.cancel()

    # Looking -------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Attribute what we have adopted since the last look.

        To be called before a job starts, and when something of one has ended. Returns whether there
        is a process of which that can't be told yet: look again soon.
        """
        if not self._reaper.adopts:
            return False
        becoming: dict[tuple[int, float], float] = {}
        new = self._new()
        for tree in self._trees.values() if new else ():
            tree.verify()
        sole = self._sole() if new else None
        for process in new:
            owner = self._owner(process) or sole
            if owner is not None:
                owner.remember(process)
                self._found[owner.tag](process.pid)
            elif (until := self._until(process)) is not None:
                becoming[process.identity] = until
            else:
                self._leave(process)
        self._becoming = becoming
        if not becoming:
            self._lived = set(self._trees.values())
            self._bereft = False
        if any(tree.rests_on_session for tree in self._lived):
            self._survey_later(max(0.0, self._surveyed_at + _APART - _now()))
        return bool(becoming)

    def unclaimed(self, tree: Tree) -> list[int]:
        """Return the pids of those unclaimed ones that were started since this job was.

        Its shell may have been started long before the job, to wait for it: so what was there when
        the job started is not among them.
        """
        before = self._before.get(tree.tag, frozenset())
        return sorted(
            pid
            for pid, each in self._unclaimed.items()
            if each.started >= tree.started and each.identity not in before
        )

    def _new(self) -> list[Process]:
        session = proc.session(0)
        found = [proc.inspect(pid) for pid in proc.adopted() if not self._reaper.owns(pid)]
        return [
            each
            for each in found
            # What is in our own session is no job's: somebody in here has started it.
            if each is not None and not each.zombie and each.session != session
        ]

    def _sole(self) -> Tree | None:
        """Return the one job that every new orphan must come from, if there is only one."""
        if len(self._lived) != 1 or self._bereft:
            return None
        (tree,) = self._lived
        if tree.tag not in self._trees or any(map(_may_have_forked, self._unclaimed.values())):
            return None
        return tree

    def _owner(self, process: Process) -> Tree | None:
        for tree in self._trees.values():
            if tree.knows(process):
                return tree
        tag = proc.environ_value(process.pid, TAG_NAME)
        return None if tag is None else self._trees.get(tag)

    def _until(self, process: Process) -> float | None:
        """Return until when it is open whether it will show a tag; None if that is decided."""
        if not proc.is_becoming(process.pid):
            return None
        until = self._becoming.get(process.identity, _now() + _BECOMING)
        return until if _now() < until else None

    def _leave(self, process: Process) -> None:
        def over(_exit: Exit) -> None:
            self._unclaimed.pop(process.pid, None)
            # Its children have become ours.
            self._bereft = True

        self._unclaimed[process.pid] = process
        # While it is ours to reap, its pid is nobody else's.
        self._reaper.adopt(process.pid, over)

    # Seeing what is below each job ---------------------------------------------------------------

    def _survey_later(self, delay: float) -> None:
        if self._timer is None and self._reaper.adopts:
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin_survey)

    def _begin_survey(self) -> None:
        self._timer = None
        if self._surveying is None or self._surveying.done():
            self._surveyed_at = _now()
            self._surveying = asyncio.create_task(self._survey())
        else:
            self._survey_later(_APART)

    async def _survey(self) -> None:
        """Remember what is below each job: it may lose its parents while others live too."""
        seen: dict[Tree, list[Process]] = {tree: [] for tree in self._trees.values()}
        for tree in seen:
            tree.verify()
        below: dict[int, Tree] = {}
        async for process in proc.descendants(os.getpid()):
            owner = below.get(process.ppid) or self._owner(process)
            if owner in seen:
                below[process.pid] = owner
                seen[owner].append(process)
        for tree, processes in seen.items():
            tree.walked(processes)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _may_have_forked(process: Process) -> bool:
    """Whether an unclaimed process may be where a new orphan comes from.

    It is not if it lives, has no children, has waited for none since it was seen, and does not have
    the kernel reap them unseen (SIGCHLD ignored, sigaction(2)).
    """
    if sys.platform == "win32":
        return True
    now = proc.inspect(process.pid)
    state = proc.signal_state(process.pid)
    return (
        now is None
        or now.zombie  # its children have become ours
        or state is None
        or now.reaped != process.reaped
        or state.ignores(signal.SIGCHLD)
        or bool(proc.children(process.pid))
    )
