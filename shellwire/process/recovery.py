"""Find the processes that a crashed daemon left behind."""

from __future__ import annotations

import os

from shellwire.process import proc
from shellwire.process.kill import TAG_NAME


class CrashRecovery:
    """The processes that the jobs and pooled shells of a crashed daemon left behind.

    ``instance`` is the prefix of the crashed daemon's tags, ``since`` its start time. A process
    counts if it was started after ``since`` and has such a tag, or descends from a process that
    has one, or is in the session of a leader that has one. Pids are not compared: a job's pid may
    belong to another program by now. This process, ``starter`` and the ancestors of both never
    count, even if a job of the crashed daemon started them.
    """

    def __init__(self, instance: bytes, *, since: float, starter: int) -> None:
        self._prefix = instance + b"."
        self._since = since
        self._starter = starter
        self._known: set[tuple[int, float]] = set()

    async def members(self) -> list[proc.Process]:
        """Return the living processes, parents before children."""
        ours = _ancestry(os.getpid()) | _ancestry(self._starter)
        session = proc.session(0)
        inside: dict[int, proc.Process] = {}
        sessions: set[int] = set()
        async for process in proc.all_processes():
            if process.pid in ours or process.session == session or process.zombie:
                continue
            if process.started < self._since:
                continue
            bears_tag = proc.environ_has(process.pid, TAG_NAME, self._prefix, prefix=True)
            if (
                bears_tag
                or process.identity in self._known
                or process.ppid in inside
                or process.session in sessions
            ):
                inside[process.pid] = process
                self._known.add(process.identity)
                if bears_tag and process.session == process.pid:
                    sessions.add(process.pid)
        return list(inside.values())


def _ancestry(pid: int) -> set[int]:
    """Return ``pid`` and the pids of all its ancestors."""
    found: set[int] = set()
    process = proc.inspect(pid)
    while process is not None and process.pid not in found:
        found.add(process.pid)
        process = proc.inspect(process.ppid)
    return found
