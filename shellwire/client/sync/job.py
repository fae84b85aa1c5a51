"""One job, blocking."""

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
    """A command or session; the blocking form of ``shellwire.client.Job``.

    ``with`` starts or attaches to it and leaves it; ``for`` yields its output chunks.
    """

    def __init__(self, loop: Loop, job: AsyncJob) -> None:
        self._loop = loop
        self._job = job

    @property
    def id(self) -> str:
        """The job's id: pass it to ``Client.attach`` of any client."""
        return self._job.id

    @property
    def end(self) -> int:
        """Offset up to which output has arrived at this client."""
        return self._job.end

    @property
    def size(self) -> tuple[int, int] | None:
        """Columns and rows of its terminal when it was started or attached to; None without one."""
        return self._job.size

    @property
    def live_from(self) -> int:
        """Offset of the output when this client attached; earlier output is replayed."""
        return self._job.live_from

    @property
    def pid(self) -> int | None:
        """A session's process id; None for a command."""
        return self._job.pid

    @property
    def is_over(self) -> bool:
        """Whether the job has ended or can't be followed any more; output may remain to be read."""
        return self._job.is_over

    @property
    def result(self) -> Result:
        """How the job ended. Raises RuntimeError before its end, and until its output is read."""
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
        """Return new text, waiting for some; ``""`` once the job has ended."""
        return self._loop.run(self._job.read())

    def wait(self) -> Result:
        """Read the output to its end and return the result. Raises if the job could not run."""
        return self._loop.run(self._job.wait())

    def write(self, data: str | bytes) -> None:
        """Send input; return when the daemon has accepted it."""
        self._loop.run(self._job.write(data))

    def close_stdin(self) -> None:
        """Send end of input; on a terminal the VEOF character."""
        self._loop.run(self._job.close_stdin())

    def resize(self, cols: int, rows: int) -> None:
        """Change the terminal's size."""
        self._loop.run(self._job.resize(cols, rows))

    def signal(self, name: str | signal.Signals) -> None:
        """Send a signal, such as ``"INT"`` or ``SIGINT``, to the job's process group."""
        self._loop.run(self._job.signal(name))

    def kill(self) -> None:
        """End the job and all its processes, if it has not ended. Returns once that has begun."""
        self._loop.run(self._job.kill())

    def detach(self) -> None:
        """Stop following the job and let it run on."""
        self._loop.run(self._job.detach())


async def _next(chunks: AsyncIterator[Chunk]) -> Chunk | None:
    return await anext(chunks, None)
