"""The asynchronous client: commands, shells, jobs and files of one daemon."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, Unpack

from shellwire.client import options as requests
from shellwire.client.connection import Connection
from shellwire.client.endpoint import Endpoint
from shellwire.client.files.calls import Files
from shellwire.client.files.requests import FileRequests
from shellwire.client.job import Job
from shellwire.client.reconnect_notice import Outage
from shellwire.errors import InvalidAnswer, OutputLost
from shellwire.principals import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from shellwire.client.context import Context
    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.pages import Page
    from shellwire.client.results import Message, Result
    from shellwire.protocol.messages import JobInfo

PATIENCE = 60.0
"""Seconds for which a lost connection is retried."""

PING_INTERVAL = 20.0
"""Seconds of silence after which the client pings the daemon."""


class Client(Files):
    """A connection to a daemon, for use in a block: ``async with Client() as c:``.

    Without ``url`` the client connects to ``SHELLWIRE_URL`` with ``SHELLWIRE_TOKEN``. If that
    variable is not set either, it connects to this user's daemon on this machine, over its Unix
    socket, which needs no token.

    ``client_id`` names this client to the daemon; the default is ``SHELLWIRE_CLIENT_ID``, or else a
    new random id. Commands that name no context run in the ``default`` context of their client_id.
    If two clients use the same client_id, the newer one takes over: every call of the older one
    raises ``Replaced``.

    A lost connection is restored for up to ``patience`` seconds. Calls and jobs continue after
    that: no command runs twice, and no output is lost or repeated. After ``ping_interval`` seconds
    of silence the client pings the daemon. Set ``transient`` in programs that run once: such a
    client takes no client slot, is not remembered, and its ``default`` context is dropped when it
    disconnects and its jobs have ended.

    Methods raise the errors of ``shellwire.errors``: those with a wire code (``WireError.code``);
    ``NotRunning`` and ``Unreachable`` if there is no connection and none can be made;
    ``Disconnected`` if the connection broke and the daemon may or may not have done what was asked.
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
        chosen = client_id or os.environ.get("SHELLWIRE_CLIENT_ID")
        endpoint = Endpoint.find(url, token)
        outage = Outage()
        self._connection = Connection(
            endpoint,
            chosen or f"python-{secrets.token_hex(6)}",
            patience=patience,
            ping_interval=ping_interval,
            outage=outage,
            transient=transient,
        )
        # HTTP gets no generated client_id: it would stop another process from resuming an upload.
        self._files = FileRequests(self._connection, endpoint, chosen, patience, outage)

    @classmethod
    def at(
        cls,
        endpoint: Endpoint,
        client_id: str,
        *,
        patience: float = PATIENCE,
        tell: Callable[[str | None], None] | None = None,
        label: str = "",
        transient: bool = False,
    ) -> Self:
        """Return a client of the daemon at ``endpoint``; environment variables are ignored.

        ``tell`` is called with the reason when the connection is lost or a file request fails, and
        with None once the daemon is reachable again. ``label`` is put before remote paths in
        errors.
        """
        client = cls.__new__(cls)
        outage = Outage(tell)
        client._connection = Connection(
            endpoint,
            client_id,
            patience=patience,
            ping_interval=PING_INTERVAL,
            outage=outage,
            transient=transient,
        )
        client._files = FileRequests(client._connection, endpoint, None, patience, outage, label)
        return client

    @classmethod
    def ephemeral(cls, *flags: str) -> AbstractAsyncContextManager[Self]:
        """Start a daemon in an empty home for one block, and end it with the block.

        ``async with Client.ephemeral() as c:``. ``flags`` are flags of ``shellwire run``. Raises
        StartError.
        """
        from shellwire.client.ephemeral import connected

        return connected(cls.at, flags)

    @property
    def client_id(self) -> str:
        """The client_id, as given, from the environment, or generated."""
        return self._connection.client_id

    async def __aenter__(self) -> Self:
        await self._connection.link()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect. A command or shell whose block is still open ends; other jobs continue."""
        await self._files.close()
        await self._connection.close()

    # Commands ------------------------------------------------------------------------------------

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command in a fresh shell; return its output and how it ended.

        With ``collect`` the daemon keeps only the head and the tail of each stream.

        Every ending is a result: see ``exit_code``, and ``reason`` if it is not ``exited``. Raises
        QueueFull, InvalidMessage and similar errors if the daemon refuses the command, and
        OutputLost if the command wrote more during a disconnect than the daemon buffers. Cancelling
        this call cancels the command.
        """
        wrote = {"stdout": bytearray(), "stderr": bytearray()}
        async with self.stream(command, **options) as job:
            async for chunk in job:
                wrote[chunk.stream] += chunk.bytes
        if options.get("collect"):
            return job.result
        result = replace(
            job.result, stdout_bytes=bytes(wrote["stdout"]), stderr_bytes=bytes(wrote["stderr"])
        )
        if result.missing:
            raise OutputLost(f"{result.missing} bytes of the output of {job.id} are gone")
        return result

    def stream(self, command: str, **options: Unpack[CommandOptions]) -> Job:
        """Return a command as a job: iterate over its output, then read ``result``.

        Use ``async with`` and ``async for``. Leaving the block ends the command. Without a block,
        leaving the loop early ends it too, but only when Python closes the generator a moment
        later.
        """
        given = options.get("input")
        feed = None if given is None or requests.as_stdin_data(given) is not None else given
        return self._follow(requests.execute(_new_id(), command, options), feed)

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session on a terminal, the user's shell by default: ``async with c.shell():``.

        Leaving the block ends the session. Entering it raises TooManyProcesses if no slot is free.
        """
        options.setdefault("pty", True)
        return self._follow(requests.start_session(_new_id(), command, options))

    async def start(self, command: str, **options: Unpack[ShellOptions]) -> str:
        """Start a process that keeps running without a client; return its id.

        Pass the id to ``attach``, ``read_output``, ``kill`` and others. Raises TooManyProcesses. If
        the process can't be started, ``attach`` and ``wait`` report why.
        """
        async with self._follow(requests.start_session(_new_id(), command, options)) as job:
            await job.detach()
        return job.id

    def attach(self, job_id: str, after: int = 0) -> Job:
        """Return a job that is already running, with its output from byte ``after`` on.

        ``job_id`` may also be the job's name; ``Job.id`` is the id once the block is entered.
        Leaving the block only detaches. Entering it raises NotFound.
        """
        request = {"type": "attach", "id": job_id}
        return Job(self._connection, request, after=after, leaving="detach")

    def _follow(self, request: Message, feed: str | bytes | None = None) -> Job:
        return Job(self._connection, request, leaving="end", feed=feed)

    # Jobs ----------------------------------------------------------------------------------------

    async def jobs(self) -> list[JobInfo]:
        """Return all jobs the daemon knows, oldest first."""
        import msgspec

        from shellwire.protocol.messages import JobInfo

        answer = await self.request("list_jobs")
        # Older daemons don't send these fields.
        older = {"name": None, "last_used_at": 0.0, "principal": OWNER}
        jobs = [{**older, **job} for job in answer["jobs"]]
        try:
            return msgspec.convert(jobs, list[JobInfo])
        except msgspec.ValidationError as error:
            raise InvalidAnswer(f"an invalid list of jobs ({error})") from None

    async def kill(self, job_id: str, reason: str | None = None) -> None:
        """End a job and all its processes. Returns once that has begun, not when it is done.

        ``reason``, at most 200 characters, is told to everybody who follows the job. Raises
        SessionNotFound if there is no such job, or no process of it is left.
        """
        await self.request("kill_session", id=job_id, reason=reason)

    async def read_output(
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
        end. With ``text``, no character is split between pages: an unfinished one comes with the
        next page. Raises NotFound, InvalidMessage.
        """
        from shellwire.client.pages import page

        answer = await self.request(
            "read_output",
            id=job_id,
            after=after,
            wait_ms=round(wait * 1000),
            until=until,
            max_bytes=max_bytes,
            encoding="utf-8" if text else "base64",
        )
        return page(answer, text=text)

    async def send_input(
        self, job_id: str, data: str | bytes = "", *, close_stdin: bool = False
    ) -> None:
        """Write to a job's input without attaching. Raises the errors of ``Job.write``."""
        job = self.attach(job_id)
        await job.write(data)
        if close_stdin:
            await job.close_stdin()

    def context(self, name: str = "default") -> Context:
        """Return a context by name: the directory and variables its commands share."""
        from shellwire.client.context import Context

        return Context(self, name)

    async def status(self) -> Message:
        """Return the ``status`` message that the daemon sent on authentication (PROTOCOL.md)."""
        return (await self._connection.link()).status

    async def request(self, kind: str, /, **fields: Any) -> Message:
        """Send any request of PROTOCOL.md and return its answer.

        The request is sent again if the connection breaks before the answer, so it must be safe to
        repeat.
        """
        return await self._connection.ask({"type": kind, **fields})


def _new_id() -> str:
    return secrets.token_hex(6)
