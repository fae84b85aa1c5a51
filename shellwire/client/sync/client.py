"""The blocking client: runs the asynchronous one on an event loop in a thread."""

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
    from shellwire.client.pages import Page
    from shellwire.client.results import Message, Result
    from shellwire.protocol.messages import JobInfo


class _NotOpen:
    """Placeholder for the client before its block: every use raises Disconnected."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # looked up by pydoc, copy and the like
            raise AttributeError(name)
        raise Disconnected("this client is not open: use it in a block, with Client() as c")


class Client(Files):
    """A connection to a daemon: ``with Client() as c: c.run("make")``.

    Same parameters and methods as ``shellwire.client.Client``, but they block. Before the block
    every method raises Disconnected.
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
        """Prepare a connection without opening it. Raises InvalidUrl, HomeError."""
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
        """Start a daemon in an empty home for one block, and end it with the block.

        ``with Client.ephemeral() as c:``. ``flags`` are flags of ``shellwire run``. Raises
        StartError.
        """
        client = cls.__new__(cls)
        client._describe(asynchronous.Client.ephemeral(*flags))
        return client

    def __enter__(self) -> Self:
        if not isinstance(self._loop, _NotOpen):
            raise Disconnected(
                "this client has been used in a block: make a new Client for each block"
            )
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
        """The client_id, as given, from the environment, or generated."""
        return self._client.client_id

    def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command in a fresh shell; return its output and how it ended."""
        return self._loop.run(self._client.run(command, **options))

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """Return a command as a job: iterate over its output, then read ``result``.

        Use ``with`` and ``for``. Leaving the block ends the command.
        """
        return Job(self._loop, self._client.stream(command, **options))

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session on a terminal, by default the user's shell: ``with c.shell() as sh``."""
        return Job(self._loop, self._client.shell(command, **options))

    def start(self, command: str, **options: Unpack[ShellOptions]) -> str:
        """Start a process that keeps running without a client; return its id."""
        return self._loop.run(self._client.start(command, **options))

    def attach(self, job_id: str, after: int = 0) -> Job:
        """Return a job that is already running, with its output from byte ``after`` on."""
        return Job(self._loop, self._client.attach(job_id, after))

    def jobs(self) -> list[JobInfo]:
        """Return all jobs the daemon knows, oldest first."""
        return self._loop.run(self._client.jobs())

    def kill(self, job_id: str, reason: str | None = None) -> None:
        """End a job and all its processes. Returns once that has begun, not when it is done.

        ``reason``, at most 200 characters, is told to everybody who follows the job.
        """
        self._loop.run(self._client.kill(job_id, reason))

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
        """Return a page of a job's output from byte ``after`` on, without attaching.

        Waits up to ``wait`` seconds for output, for the literal text ``until``, or for the job's
        end.
        """
        return self._loop.run(
            self._client.read_output(
                job_id, after, wait=wait, until=until, max_bytes=max_bytes, text=text
            )
        )

    def send_input(self, job_id: str, data: str | bytes = "", *, close_stdin: bool = False) -> None:
        """Write to a job's input without attaching."""
        self._loop.run(self._client.send_input(job_id, data, close_stdin=close_stdin))

    def context(self, name: str = "default") -> Context:
        """Return a context by name: the directory and variables its commands share."""
        return Context(self._loop, self._client.context(name))

    def status(self) -> Message:
        """Return the daemon's ``status`` message (PROTOCOL.md)."""
        return self._loop.run(self._client.status())

    def request(self, kind: str, /, **fields: Any) -> Message:
        """Send any request of PROTOCOL.md and return its answer. It must be safe to repeat."""
        return self._loop.run(self._client.request(kind, **fields))


async def _leave(client: AbstractAsyncContextManager[asynchronous.Client]) -> None:
    await client.__aexit__(None, None, None)
