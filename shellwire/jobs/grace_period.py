"""The time that running commands get to finish when the daemon stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.jobs.job import Job


class GracePeriod:
    """Waits for the outcomes of jobs; ``skip`` ends the wait."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def skip(self) -> None:
        """End the wait, now or as soon as it begins."""
        self._over.set()

    async def wait(self, jobs: Iterable[Job], seconds: float) -> None:
        """Wait until all ``jobs`` have their outcome, at most ``seconds``."""
        running = [job for job in jobs if job.outcome is None]

        def check() -> None:
            if all(job.outcome is not None for job in running):
                self._over.set()

        viewers = [(job, job.readers.view(check, silent=True)) for job in running]
        check()
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            for job, viewer in viewers:
                job.readers.leave(viewer)
