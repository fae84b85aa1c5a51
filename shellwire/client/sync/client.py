"""The client, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, cast

from shellwire.client import client as asynchronous
from shellwire.client.client import PATIENCE, PING_INTERVAL
from shellwire.client.sync.context import Context
from shellwire.client.sync.files import Files
from shellwire.client.sync.job import Job
from shellwire.client.sync.loop import Loop
from shellwire.errors import Disconnected

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import Message, Page, Result
    from shellwire.protocol.messages import JobInfo


class _NotOpen:
    """Stands for what is there only once the block has begun."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # asked by what inspects or copies
            raise AttributeError(name)
        raise Disconnected("this client is not open: use it in a block, with Client() as c")


class Client(Files):
    """As ``shellwire.client.Client``: ``with Client() as c: c.run("make")``.

    Before its block each method raises Disconnected.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        client_id: str | None = None,
        patience: float = PATIENCE,
        ping_interval: float = PING_INTERVAL,
        transient: bool = False,
    ) -> None:
        """Describe a connection; raises InvalidUrl, HomeError. Nothing is opened yet."""
        self._describe(
            asynchronous.Client(
                url,
                token=token,
                client_id=client_id,
                patience=patience,
                ping_interval=ping_interval,
                transient=transient,
            )
        )

    def _describe(self, opening: AbstractAsyncContextManager[asynchronous.Client]) -> None:
        self._open = opening
        self._client: asynchronous.Client = cast("asynchronous.Client", _NotOpen())
        self._loop: Loop = cast("Loop", _NotOpen())

    @classmethod
    def ephemeral(cls, *flags: str) -> Self:
        """Start a daemon of its own in an empty home, and end it with the block."""
        client = cls.__new__(cls)
        client._describe(asynchronous.Client.ephemeral(*flags))
        return client

    def __enter__(self) -> Self:
        if not isinstance(self._loop, _NotOpen):
            raise Disconnected("this client had its block: each takes a Client of its own")
        self._loop = Loop()
        try:
            self._client = self._loop.run(self._open.__aenter__())
        except BaseException:
            self._loop.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._loop.run(_leave(self._open))
        finally:
            self._loop.stop()

    @property
    def client_id(self) -> str:
        """What it calls itself."""
        return self._client.client_id

    def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command; return how it ended, and all that it wrote."""
        return self._loop.run(self._client.run(command, **options))

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """Return a command whose output ``for`` gives."""
        return Job(self._loop, self._client.stream(command, **options))

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session on a terminal: ``with c.shell() as sh``."""
        return Job(self._loop, self._client.shell(command, **options))

    def start(self, command: str, **options: Unpack[ShellOptions]) -> str:
        """Start a process that lives on without anybody; return its id."""
        return self._loop.run(self._client.start(command, **options))

    def attach(self, job_id: str, after: int = 0) -> Job:
        """Return a job that was started before."""
        return Job(self._loop, self._client.attach(job_id, after))

    def jobs(self) -> list[JobInfo]:
        """Return all jobs that the daemon knows, the oldest first."""
        return self._loop.run(self._client.jobs())

    def kill(self, job_id: str) -> None:
        """End a job of either kind, and what it left behind."""
        self._loop.run(self._client.kill(job_id))

    def read_output(
        self,
        job_id: str,
        after: int = 0,
        *,
        wait: float = 0.0,
        until: str | None = None,
        max_bytes: int = 65536,
        text: bool = False,
    ) -> Page:
        """Return what a job has written after a byte, without attaching to it."""
        return self._loop.run(
            self._client.read_output(
                job_id, after, wait=wait, until=until, max_bytes=max_bytes, text=text
            )
        )

    def send_input(self, job_id: str, data: str | bytes = "", *, close_stdin: bool = False) -> None:
        """Write to a job without attaching to it."""
        self._loop.run(self._client.send_input(job_id, data, close_stdin=close_stdin))

    def context(self, name: str = "default") -> Context:
        """Return the context of that name."""
        return Context(self._loop, self._client.context(name))

    def status(self) -> Message:
        """Return what the daemon said of itself when it let us in."""
        return self._loop.run(self._client.status())

    def request(self, kind: str, /, **fields: Any) -> Message:
        """Send any message of PROTOCOL.md that asks something, and return the answer."""
        return self._loop.run(self._client.request(kind, **fields))


async def _leave(client: AbstractAsyncContextManager[asynchronous.Client]) -> None:
    await client.__aexit__(None, None, None)
