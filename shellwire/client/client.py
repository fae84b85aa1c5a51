"""The client: what a program says to a daemon, and gets from it."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, Unpack

from shellwire.client import options as requests
from shellwire.client.connection import Connection
from shellwire.client.context import Context
from shellwire.client.endpoint import Endpoint
from shellwire.client.files.calls import Files
from shellwire.client.files.http_client import HttpClient
from shellwire.client.files.requests import FileRequests
from shellwire.client.job import Job
from shellwire.client.reconnect_notice import Outage
from shellwire.client.results import page
from shellwire.errors import InvalidAnswer, OutputLost

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from shellwire.client.options import CommandOptions, ShellOptions
    from shellwire.client.results import Message, Page, Result
    from shellwire.protocol.messages import JobInfo

PATIENCE = 60.0
"""Seconds during which a connection that was cut is tried again."""

PING_INTERVAL = 20.0
"""Seconds of silence after which the daemon is asked for a sign of life."""


class Client(Files):
    """A connection to a daemon, as ``async with Client() as c:``.

    Without ``url`` it is the one of ``SHELLWIRE_URL``, with ``SHELLWIRE_TOKEN``; without that
    variable the daemon of this user on this machine, through its Unix socket, where no token is
    needed. Commands without a context share that of ``client_id``, which is a new one each time
    unless it is given or in ``SHELLWIRE_CLIENT_ID``. Two clients with the same one throw each other
    out: the older one gets ``Replaced`` from all it does.

    A connection that is cut is made again for ``patience`` seconds, and everything goes on where it
    was: commands don't run twice, and no output is lost or comes twice. ``ping_interval`` is how
    many seconds of silence may pass before the daemon is asked for a sign of life. A ``transient``
    client is for programs that run once: it takes no client slot of the daemon and is not
    remembered, and its ``default`` context is dropped with its connection and its jobs.

    Each method raises the errors of ``shellwire.errors``: those with the wire's codes
    (``WireError.code``), ``NotRunning`` and ``Unreachable`` if there is no connection and none can
    be made, ``Disconnected`` if it broke and what was asked may have been done.
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
        chosen = client_id or os.environ.get("SHELLWIRE_CLIENT_ID")
        place = Endpoint.find(url, token)
        # An id that is made up would keep an upload from being taken up by another process.
        outage = Outage()
        self._http = HttpClient(place, chosen, patience, outage)
        self._connection = Connection(
            place,
            chosen or f"python-{secrets.token_hex(6)}",
            patience=patience,
            ping_interval=ping_interval,
            outage=outage,
            transient=transient,
        )
        self._files = FileRequests(self._connection, self._http)

    @classmethod
    def at(
        cls,
        place: Endpoint,
        client_id: str,
        *,
        patience: float = PATIENCE,
        tell: Callable[[str | None], None] | None = None,
        label: str = "",
        transient: bool = False,
    ) -> Self:
        """Return a client of the daemon at that place, whatever the variables say.

        ``tell`` is called when the connection is cut or a request for a file did not come through,
        with how, and with None when that is over. ``label`` stands before paths there in errors.
        """
        client = cls.__new__(cls)
        outage = Outage(tell)
        client._http = HttpClient(place, None, patience, outage, label)
        client._connection = Connection(
            place,
            client_id,
            patience=patience,
            ping_interval=PING_INTERVAL,
            outage=outage,
            transient=transient,
        )
        client._files = FileRequests(client._connection, client._http)
        return client

    @classmethod
    def ephemeral(cls, *flags: str) -> AbstractAsyncContextManager[Self]:
        """Start a daemon of its own in an empty home, and end it with the block.

        ``async with Client.ephemeral() as c:``. ``flags`` are those of ``shellwire run``. Raises
        StartError.
        """
        from shellwire.client.ephemeral import connected

        return connected(cls.at, flags)

    @property
    def client_id(self) -> str:
        """What it calls itself."""
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
        """Disconnect. What was started or attached to goes on; a command or shell not left ends."""
        await self._http.close()
        await self._connection.close()

    # Commands ------------------------------------------------------------------------------------

    async def run(self, command: str, **options: Unpack[CommandOptions]) -> Result:
        """Run a command in a fresh shell and return how it ended, and all that it wrote.

        With ``collect`` the daemon keeps only the head and the tail of each stream.

        However it ends, that is a result: its ``exit_code``, and ``reason`` unless that is
        ``exited``. Raises QueueFull, InvalidMessage and the like if it is refused, and OutputLost
        if the connection was cut and it wrote more meanwhile than the daemon keeps. If this is
        cancelled, so is the command.
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
        """Return a command whose output ``async for`` gives; ``result`` tells then how it ended.

        Leaving the ``async with`` block around it ends the command. So does breaking out of a bare
        loop, but a moment later, for Python has no better way to tell of that.
        """
        given = options.get("input")
        feed = None if given is None or requests.as_stdin_data(given) is not None else given
        return self._follow(requests.execute(_new_id(), command, options), feed)

    def shell(self, command: str | None = None, **options: Unpack[ShellOptions]) -> Job:
        """Return a session on a terminal, by default the user's shell: ``async with c.shell()``.

        Leaving the block ends it. Entering raises TooManyProcesses if no slot is free for it.
        """
        options.setdefault("pty", True)
        return self._follow(requests.start_session(_new_id(), command, options))

    async def start(self, command: str, **options: Unpack[ShellOptions]) -> str:
        """Start a process that lives on without anybody; return its id, for ``attach`` and others.

        Raises TooManyProcesses. If it can't be started at all, ``attach`` and ``wait`` tell why.
        """
        async with self._follow(requests.start_session(_new_id(), command, options)) as job:
            await job.detach()
        return job.id

    def attach(self, job_id: str, after: int = 0) -> Job:
        """Return a job that was started before, from byte ``after`` of its output on.

        ``job_id`` may be its name, too; ``Job.id`` is its id once it has begun. Leaving it lets it
        go on. Beginning it raises NotFound.
        """
        request = {"type": "attach", "id": job_id}
        return Job(self._connection, request, after=after, leaving="detach")

    def _follow(self, request: Message, feed: str | bytes | None = None) -> Job:
        return Job(self._connection, request, leaving="end", feed=feed)

    # Jobs ----------------------------------------------------------------------------------------

    async def jobs(self) -> list[JobInfo]:
        """Return all jobs that the daemon knows, the oldest first."""
        import msgspec

        from shellwire.protocol.messages import JobInfo

        answer = await self.request("list_jobs")
        # Earlier daemons know no names, and not when a job was used last.
        jobs = [{"name": None, "last_used_at": 0.0, **job} for job in answer["jobs"]]
        try:
            return msgspec.convert(jobs, list[JobInfo])
        except msgspec.ValidationError as error:
            raise InvalidAnswer(f"a list of jobs that is wrong ({error})") from None

    async def kill(self, job_id: str) -> None:
        """End a job of either kind, and what it left behind; return when that is under way.

        Raises SessionNotFound if there is no such job, or nothing is left of it.
        """
        await self.request("kill_session", id=job_id)

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
        """Return what a job has written after a byte, without attaching to it.

        Waits ``wait`` seconds at most, for any output, or for the text ``until``, or for the job's
        end. As ``text`` characters are whole from page to page: what is unfinished of one at a
        page's end comes with the next page. Raises NotFound, InvalidMessage.
        """
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
        """Write to a job without attaching to it. Raises as ``Job.write``."""
        job = self.attach(job_id)
        await job.write(data)
        if close_stdin:
            await job.close_stdin()

    def context(self, name: str = "default") -> Context:
        """Return the context of that name: what its commands leave behind, the next ones find."""
        return Context(self, name)

    async def status(self) -> Message:
        """Return what the daemon said of itself when it let us in: ``status`` in PROTOCOL.md."""
        return (await self._connection.link()).status

    async def request(self, kind: str, /, **fields: Any) -> Message:
        """Send any message of PROTOCOL.md that asks something, and return the answer.

        It must bear being sent twice, for that happens if the connection is cut meanwhile.
        """
        return await self._connection.ask({"type": kind, **fields})


def _new_id() -> str:
    return secrets.token_hex(6)
