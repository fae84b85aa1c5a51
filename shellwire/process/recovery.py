"""What a daemon that was killed has left, and how it is told from everything else."""

from __future__ import annotations

import os

from shellwire.process import proc
from shellwire.process.kill import TAG_NAME


class CrashRecovery:
    """What the jobs and spares of a daemon that was killed have left.

    ``instance`` is what each of its tags begins with, and ``since`` is when it was started. A
    process is its if it was started later and was given such a tag, or descends from one that was,
    or is in the session of a leader that was. A pid proves nothing here: that of a job may be a
    stranger's by now. We are not its, nor are those that we or ``starter`` descend from, even if it
    was one of its jobs that started us.
    """

    def __init__(self, instance: bytes, *, since: float, starter: int) -> None:
        self._prefix = instance + b"."
        self._since = since
        self._starter = starter
        self._known: set[tuple[int, float]] = set()

    async def members(self) -> list[proc.Process]:
        """Return those that live, parents before children."""
        ours = _ancestry(os.getpid()) | _ancestry(self._starter)
        session = proc.session(0)
        inside: dict[int, proc.Process] = {}
        sessions: set[int] = set()
        async for process in proc.everybody():
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
    """Return ``pid``, and the pids of its parent and its parents."""
    found: set[int] = set()
    process = proc.inspect(pid)
    while process is not None and process.pid not in found:
        found.add(process.pid)
        process = proc.inspect(process.ppid)
    return found
