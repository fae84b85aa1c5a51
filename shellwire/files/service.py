"""What all who work with files share: limits, hashes, threads, workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shellwire.files.hashes import Hashes
from shellwire.files.partials import Partials
from shellwire.files.threads import Threads

if TYPE_CHECKING:
    from shellwire.files.limits import FileLimits
    from shellwire.files.workers import Workers
    from shellwire.files.write import Litter


class Files(Threads):
    """What is asked of files is done in threads and workers: the loop never waits for a disk."""

    def __init__(self, limits: FileLimits, litter: Litter, workers: Workers) -> None:
        super().__init__()
        self.limits = limits
        self.litter = litter
        self.hashes = Hashes()
        self.workers = workers
        self.partials = Partials(self, limits.max_uploads)

    async def close(self) -> None:
        """End the workers and give up what is unfinished."""
        await self.workers.close()
        self.partials.close()
        await self.finish()
