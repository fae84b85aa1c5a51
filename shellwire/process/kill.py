"""End all processes of a job: TERM, a grace period, then KILL.

A job is a session of its own, so its processes are found by the session id (setsid(2)). Those that
made another session are found by their parents, and by the tag in their environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Protocol

from shellwire.process import children, proc
from shellwire.process.proc import open_pidfd
from shellwire.process.send_signal import HUP, KILL, TERM, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

log = logging.getLogger(__name__)

GRACE = 2.0
"""Seconds between TERM and KILL."""

HANGUP_AFTER = 0.5
"""Seconds between TERM and HUP on a terminal; an interactive shell ignores TERM but heeds HUP."""

TAG_NAME = b"SHELLWIRE_JOB"
"""The environment variable that marks a job's processes; it is in no context."""

_AFTER_KILL = 2.0
_POLL = 0.02

# wait_gone waits for at most so many processes at a time: each takes a descriptor.
_BATCH = 64


def _candidates(*, subreaper: bool) -> AsyncIterator[proc.Process]:
    return children.descendants(os.getpid()) if subreaper else proc.all_processes()


class ProcessSet(Protocol):
    """Processes that are ended together."""

    async def members(self) -> list[proc.Process]:
        """Return the living processes, parents before children."""
        ...


class Tree:
    """The processes of one job. ``tag`` is the value of TAG_NAME in the environment of each.

    Create it before ``leader`` is reaped. The job's session id is the leader's pid. Once neither
    the leader nor another process of the session lives, the kernel may give that pid to any
    process, and that process may make a session with the same id: from then on the session id
    proves nothing. ``refresh()`` is called before each scan of the processes.
    """

    def __init__(
        self,
        leader: int,
        tag: bytes,
        began: float = 0.0,
        *,
        subreaper: bool = True,
        refresh: Callable[[], object] | None = None,
    ) -> None:
        self.tag = tag
        self.began = began
        """Each process that the job starts has this start time or a later one."""
        self.is_leaderless = False
        """Whether the leader has been reaped; set by the code that waits for it."""
        self._leader = leader
        self._session: int | None = leader
        self._subreaper = subreaper
        self._refresh = refresh
        self._known: set[tuple[int, float]] = set()

    def verify(self) -> None:
        """Stop using the session id, for good, once the reaped leader's pid was reused."""
        if self._session is None or not self.is_leaderless:
            return
        if proc.inspect(self._leader) is not None:
            self._session = None

    @property
    def relies_on_session(self) -> bool:
        """Whether the session id still counts although the leader has been reaped."""
        return self._session is not None and self.is_leaderless

    def set_known(self, processes: Sequence[proc.Process]) -> None:
        """Replace the known processes by ``processes``, zombies included; forget ended ones.

        Pass the result of a scan made after ``verify``.
        """
        found = {each.identity for each in processes}
        for pid, started in self._known - found:
            # A list of children may miss some while others end (proc(5), children).
            now = proc.inspect(pid)
            if now is not None and now.started == started:
                found.add((pid, started))
        self._known = found
        if self.is_leaderless and all(each.session != self._session for each in processes):
            self._session = None

    def knows(self, process: proc.Process) -> bool:
        """Whether ``process`` was found before, or is in the job's session."""
        return process.session == self._session or process.identity in self._known

    def contains(self, process: proc.Process) -> bool:
        """Whether ``process`` was found before, is in the job's session, or has its tag."""
        return self.knows(process) or proc.environ_has(process.pid, TAG_NAME, self.tag)

    def remember(self, process: proc.Process) -> None:
        """Count ``process`` as the job's from now on, even when its parents have ended."""
        self._known.add(process.identity)

    async def members(self) -> list[proc.Process]:
        """Return the job's living processes, parents before children.

        A process without the session and the tag is found by its parent, and remembered: once the
        parent has ended, nothing else links the process to the job.
        """
        if self._refresh is not None:
            self._refresh()
        self.verify()
        inside: dict[int, proc.Process] = {}
        async for process in _candidates(subreaper=self._subreaper):
            if process.ppid in inside or self.contains(process):
                inside[process.pid] = process
                self._known.add(process.identity)
        self.set_known([*inside.values()])
        return [process for process in inside.values() if not process.zombie]


class OneProcess:
    """One child of ours, ``pid``, which nobody reaps before ``has_exited()``."""

    def __init__(self, pid: int, has_exited: Callable[[], bool]) -> None:
        self._pid = pid
        self._has_exited = has_exited

    async def members(self) -> list[proc.Process]:
        """Return the process while it lives."""
        process = None if self._has_exited() else proc.inspect(self._pid)
        return [] if process is None or process.zombie else [process]


class AllJobProcesses:
    """The processes of all jobs of this daemon, in whatever session they are."""

    def __init__(self, instance: bytes, *, subreaper: bool = True) -> None:
        self._prefix = instance
        self._subreaper = subreaper

    async def members(self) -> list[proc.Process]:
        """Return every living process that descends from a job or has a tag of this daemon."""
        session = proc.session(0)
        return [
            process
            async for process in _candidates(subreaper=self._subreaper)
            if not process.zombie
            and (
                process.session != session
                if self._subreaper
                else proc.environ_has(process.pid, TAG_NAME, self._prefix, prefix=True)
            )
        ]


async def wait_gone(processes: Sequence[proc.Process], seconds: float) -> None:
    """Wait until the first 64 of ``processes`` have ended, at most ``seconds``.

    Returns earlier where a process has no pidfd; the caller must scan again in any case.
    """
    loop = asyncio.get_running_loop()
    waiting: set[int] = set()
    done = asyncio.Event()

    def ended(pidfd: int) -> None:
        loop.remove_reader(pidfd)
        waiting.discard(pidfd)
        os.close(pidfd)
        if not waiting:
            done.set()

    some_unwatched = False
    for process in processes[:_BATCH]:
        pidfd = open_pidfd(process.pid)
        if pidfd is None:
            some_unwatched = some_unwatched or proc.inspect(process.pid) is not None
        else:
            waiting.add(pidfd)
            loop.add_reader(pidfd, ended, pidfd)
    try:
        if waiting or some_unwatched:
            # Without a pidfd for each, the caller must scan again soon.
            limit = min(seconds, _POLL) if some_unwatched else seconds
            await asyncio.wait_for(done.wait(), limit)
    except TimeoutError:
        pass
    finally:
        for pidfd in list(waiting):
            ended(pidfd)


async def _living(tree: ProcessSet) -> list[proc.Process]:
    # A list of children is exact only while none of them ends (proc(5), children): one empty list
    # proves nothing.
    return await tree.members() or await tree.members()


async def end(tree: ProcessSet, *, hangup: bool = False) -> bool:
    """End every process of ``tree``, and return when none is left.

    Sends TERM at once; with ``hangup`` HUP after 0.5 s; KILL after 2 s. When all that got a signal
    have ended, the processes that remain get the same signal. Returns False if a process can't be
    killed (not ours, or stuck in the kernel).
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    stages = [(TERM, HANGUP_AFTER if hangup else GRACE)]
    if hangup:
        stages.append((HUP, GRACE))
    stages.append((KILL, GRACE + _AFTER_KILL))
    for number, until in stages:
        signalled: dict[tuple[int, float], int] = {}
        pause = _POLL
        while members := await _living(tree):
            targets = members if number == KILL else _next_targets(members, signalled)
            targets = await send(number, targets, members)
            signalled.update(_forked_images(targets, [*members, *targets]))
            remaining = begun + until - loop.time()
            if remaining <= 0:
                break
            await wait_gone(members, min(remaining, pause))
            pause *= 2
        else:
            return True
    survivors = [process.pid for process in await tree.members()]
    if survivors:
        log.warning("processes %s can't be ended", survivors)
    return not survivors


def _forked_images(
    targets: Iterable[proc.Process], members: Iterable[proc.Process]
) -> dict[tuple[int, float], int]:
    """Map each target to its image if that is still its parent's (forked, no exec yet), else 0."""
    images = {each.pid: each.image for each in members}
    return {
        each.identity: each.image if images.get(each.ppid) == each.image else 0 for each in targets
    }


def _next_targets(
    members: list[proc.Process], signalled: Mapping[tuple[int, float], int]
) -> list[proc.Process]:
    """Return the processes that get the signal now.

    While a signalled process lives, its handler may still run, and may have started programs. So
    no process gets the signal twice, and new processes get it only once all signalled ones have
    ended. One exception: a child that got the signal between fork and exec may have caught it by
    the handler of its parent, a shell. It gets the signal again after exec, which resets handlers.
    """
    if all(each.identity not in signalled for each in members):
        return members
    return [each for each in members if signalled.get(each.identity, 0) not in (0, each.image)]
