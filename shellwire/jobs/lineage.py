"""From which principal's job a process comes, if not from the owner's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.principals import OWNER
from shellwire.process import proc
from shellwire.process.kill import TAG_NAME

if TYPE_CHECKING:
    from shellwire.jobs.model import JobKey
    from shellwire.process.orphans import OrphanTracker

MAX_TAGS = 10_000
"""Tags that are remembered: those of the jobs started last, and of all living ones."""

UNKNOWN = "unknown"
"""Stands for the principal of a process that can't be inspected."""


class Lineage:
    """The tags of jobs that are not the owner's."""

    def __init__(self, orphans: OrphanTracker) -> None:
        self._orphans = orphans
        self._principals: dict[bytes, str] = {}  # the oldest first

    def started(self, key: JobKey, tag: bytes) -> None:
        """Record the tag of a job that has started."""
        if key.principal == OWNER:
            return
        self._principals[tag] = key.principal
        if len(self._principals) > MAX_TAGS:
            for old in self._principals:
                if not self._orphans.is_tracked(old):
                    del self._principals[old]
                    break

    def principal_of(self, pid: int) -> str | None:
        """Return the principal, not the owner, whose job ``pid`` or an ancestor of it belongs to.

        A process belongs to a job by its tag, its session, or by what surveys saw. None if there is
        no such job. UNKNOWN if the process is gone or of another pid namespace (pid 0); only once a
        job of another principal has run.
        """
        if not self._principals:
            return None
        process = proc.inspect(pid) if pid > 0 else None
        if process is None:
            return UNKNOWN
        seen: set[int] = set()
        while process is not None and process.pid not in {1, os.getpid(), *seen}:
            seen.add(process.pid)
            tags = (proc.environ_value(process.pid, TAG_NAME), self._orphans.tag_of(process))
            for tag in tags:
                found = self._principals.get(tag) if tag is not None else None
                if found is not None:
                    return found
            process = proc.inspect(process.ppid)
        return None
