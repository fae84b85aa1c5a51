"""A job that is followed, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from shellwire.client.job import Job as AsyncJob
    from shellwire.client.results import Chunk, Result
    from shellwire.client.sync.loop import Loop


class Job:
    """As ``shellwire.client.Job``: ``with`` begins and leaves it, ``for`` gives its output."""

    def __init__(self, loop: Loop, job: AsyncJob) -> None:
        self._loop = loop
        self._job = job

    @property
    def id(self) -> str:
        """The job's id."""
        return self._job.id

    @property
    def end(self) -> int:
        """Offset up to which its output has arrived here."""
        return self._job.end

    @property
    def size(self) -> tuple[int, int] | None:
        """Columns and rows of its terminal when it was begun or attached to; None without one."""
        return self._job.size

    @property
    def live_from(self) -> int:
        """Offset where its output stood when it was attached to: what comes before is replayed."""
        return self._job.live_from

    @property
    def pid(self) -> int | None:
        """A session's process; None for a command."""
        return self._job.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or can't be followed any more; output may be left to be read."""
        return self._job.is_over

    @property
    def result(self) -> Result:
        """How it ended. Raises RuntimeError if it has not, or not yet been read to its end."""
        return self._job.result

    def __enter__(self) -> Self:
        self._loop.run(self._job.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.run(self._job.leave())

    def __iter__(self) -> Iterator[Chunk]:
        chunks = self._job.chunks()
        try:
            while (chunk := self._loop.run(_next(chunks))) is not None:
                yield chunk
        finally:
            self._loop.run(chunks.aclose())

    def read(self) -> str:
        """Return what it has written since, waiting for something; ``""`` when it has ended."""
        return self._loop.run(self._job.read())

    def wait(self) -> Result:
        """Read on to its end; return how it ended."""
        return self._loop.run(self._job.wait())

    def write(self, data: str | bytes) -> None:
        """Send input."""
        self._loop.run(self._job.write(data))

    def close_stdin(self) -> None:
        """End its input; on a terminal with VEOF."""
        self._loop.run(self._job.close_stdin())

    def resize(self, cols: int, rows: int) -> None:
        """Give its terminal another size."""
        self._loop.run(self._job.resize(cols, rows))

    def signal(self, name: str | signal.Signals) -> None:
        """Signal its process group, on a terminal the foreground one."""
        self._loop.run(self._job.signal(name))

    def kill(self) -> None:
        """End it, whole; return when that is under way."""
        self._loop.run(self._job.kill())

    def detach(self) -> None:
        """Leave it alone when this is left."""
        self._loop.run(self._job.detach())


async def _next(chunks: AsyncIterator[Chunk]) -> Chunk | None:
    return await anext(chunks, None)
