"""Ending what a job started: TERM, a grace, KILL, to the whole tree and to what has left it.

A job is its own session, so its members are found by the session id (setsid(2)); those that made a
session of their own are found by descent and by the tag in their environment.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Protocol

from shellwire.process import proc
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
"""The variable by which a job's processes are found; it belongs to no context."""

_AFTER_KILL = 2.0
_POLL = 0.02

# So many processes are signalled, or waited for with a descriptor each, before the next look.
_AT_ONCE = 64


def _candidates(*, subreaper: bool) -> AsyncIterator[proc.Process]:
    return proc.descendants(os.getpid()) if subreaper else proc.everybody()


class Group(Protocol):
    """Some processes that are to be ended together."""

    async def members(self) -> list[proc.Process]:
        """Return those that live, parents before children."""
        ...


class Tree:
    """The processes of one job. ``tag`` is the value of TAG_NAME in the environment of each.

    To be made before ``leader`` is reaped. Its session's number is its pid. When neither it nor a
    member of its session lives, the kernel may give that pid to any process, which may make a
    session of its own with the same number: from then on the session proves nothing. ``look()`` is
    called before each look at the processes.
    """

    def __init__(
        self,
        leader: int,
        tag: bytes,
        *,
        subreaper: bool = True,
        look: Callable[[], object] | None = None,
    ) -> None:
        seen = proc.inspect(leader)
        self.tag = tag
        self.started = 0.0 if seen is None else seen.started
        """When the leader was started, by the clock of ``Process.started``."""
        self.is_leaderless = False
        """Whether the leader has been reaped; whoever waits for it says so."""
        self._leader = leader
        self._session: int | None = leader
        self._subreaper = subreaper
        self._look = look
        self._known: set[tuple[int, float]] = set()

    def verify(self) -> None:
        """Go by the session no more, for good, once its number is or may be another's."""
        if self._session is None or not self.is_leaderless:
            return
        now = proc.inspect(self._leader)
        if now is not None and now.started != self.started:
            self._session = None

    @property
    def rests_on_session(self) -> bool:
        """Whether its session still proves something although its leader has been reaped."""
        return self._session is not None and self.is_leaderless

    def walked(self, processes: Sequence[proc.Process]) -> None:
        """Remember that these, zombies included, are all of its processes; forget ended ones.

        To be called with what was found after ``verify``.
        """
        found = {each.identity for each in processes}
        for pid, started in self._known - found:
            # A list of children may lack some while others end (proc(5), children).
            now = proc.inspect(pid)
            if now is not None and now.started == started:
                found.add((pid, started))
        self._known = found
        if self.is_leaderless and all(each.session != self._session for each in processes):
            self._session = None

    def knows(self, process: proc.Process) -> bool:
        """Whether it was found before, or is of the job's session."""
        return process.session == self._session or process.identity in self._known

    def holds(self, process: proc.Process) -> bool:
        """Whether it was found before, is of the job's session, or has its tag."""
        return self.knows(process) or proc.environ_has(process.pid, TAG_NAME, self.tag)

    def remember(self, process: proc.Process) -> None:
        """Take a process for one of the job's, whatever becomes of its parents."""
        self._known.add(process.identity)

    async def members(self) -> list[proc.Process]:
        """Return the job's living processes, parents before children.

        One that has neither session nor tag is found by its parent, and remembered: when that has
        ended, nothing else tells whose it is.
        """
        if self._look is not None:
            self._look()
        self.verify()
        inside: dict[int, proc.Process] = {}
        async for process in _candidates(subreaper=self._subreaper):
            if process.ppid in inside or self.holds(process):
                inside[process.pid] = process
                self._known.add(process.identity)
        self.walked([*inside.values()])
        return [process for process in inside.values() if not process.zombie]


class Everything:
    """All that the daemon's jobs have left, wherever it went."""

    def __init__(self, instance: bytes, *, subreaper: bool = True) -> None:
        self._prefix = instance
        self._subreaper = subreaper

    async def members(self) -> list[proc.Process]:
        """Return every living process that descends from a job or bears a tag of this daemon."""
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


async def gone(processes: Sequence[proc.Process], seconds: float) -> None:
    """Return after ``seconds``, or when the first 64 of ``processes`` have ended: look again."""
    loop = asyncio.get_running_loop()
    waiting: set[int] = set()
    done = asyncio.Event()

    def ended(pidfd: int) -> None:
        loop.remove_reader(pidfd)
        waiting.discard(pidfd)
        os.close(pidfd)
        if not waiting:
            done.set()

    blind = False
    for process in processes[:_AT_ONCE]:
        pidfd = open_pidfd(process.pid)
        if pidfd is None:
            blind = blind or proc.inspect(process.pid) is not None
        else:
            waiting.add(pidfd)
            loop.add_reader(pidfd, ended, pidfd)
    try:
        if waiting or blind:
            # Without a pidfd for each, the caller must look again soon.
            limit = min(seconds, _POLL) if blind else seconds
            await asyncio.wait_for(done.wait(), limit)
    except TimeoutError:
        pass
    finally:
        for pidfd in list(waiting):
            ended(pidfd)


async def _living(tree: Group) -> list[proc.Process]:
    # A list of children is exact only while none of them ends (proc(5), children): that it was
    # empty once proves nothing.
    return await tree.members() or await tree.members()


async def end(tree: Group, *, hangup: bool = False) -> bool:
    """End every process of ``tree`` and return when none is left.

    TERM at once; with ``hangup`` HUP after 0.5 s; KILL after 2 s; each again to what is left when
    those that got it have ended. Returns False if something can't be killed (not ours, or stuck in
    the kernel).
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    stages = [(TERM, HANGUP_AFTER if hangup else GRACE)]
    if hangup:
        stages.append((HUP, GRACE))
    stages.append((KILL, GRACE + _AFTER_KILL))
    for number, until in stages:
        told: dict[tuple[int, float], int] = {}
        pause = _POLL
        while members := await _living(tree):
            due = members if number == KILL else _untold(members, told)
            due = await send(number, due, members)
            told.update(_copies(due, [*members, *due]))
            left = begun + until - loop.time()
            if left <= 0:
                break
            await gone(members, min(left, pause))
            pause *= 2
        else:
            return True
    left_over = [process.pid for process in await tree.members()]
    if left_over:
        log.warning("processes %s can't be ended", left_over)
    return not left_over


def _copies(
    due: Iterable[proc.Process], members: Iterable[proc.Process]
) -> dict[tuple[int, float], int]:
    """Return each of ``due`` with its image while that is still its parent's, else with 0."""
    images = {each.pid: each.image for each in members}
    return {each.identity: each.image if images.get(each.ppid) == each.image else 0 for each in due}


def _untold(
    members: list[proc.Process], told: Mapping[tuple[int, float], int]
) -> list[proc.Process]:
    """Return who is to get the signal now.

    No second one may interrupt a handler, and no first one what the handler has started: so it is
    all of them when those that were told have ended. But what a shell had forked and not yet turned
    into a program when it was told has forgotten it with its exec, for the shell's handler is gone.
    """
    if all(each.identity not in told for each in members):
        return members
    return [each for each in members if told.get(each.identity, 0) not in (0, each.image)]
