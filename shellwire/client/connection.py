"""A connection that reconnects: its requests are repeated and its jobs resume.

Requests without an answer are sent again on the next link, unless repeating them has effects.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Protocol

from shellwire.client.connect_errors import describe_close
from shellwire.client.wire import Link, LinkClosed
from shellwire.errors import (
    ClientRejected,
    CredentialEnded,
    Disconnected,
    InvalidAnswer,
    Kicked,
    NotRunning,
    Replaced,
    ShellwireError,
    Unreachable,
    from_wire,
)
from shellwire.output import printable
from shellwire.protocol.limits import KICKED, REPLACED

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shellwire.client.endpoint import Endpoint
    from shellwire.client.reconnect_notice import Outage
    from shellwire.client.results import Message

FIRST_DELAY = 0.1
"""The first reconnect comes within this many seconds; each further limit doubles."""

LONGEST_DELAY = 5.0
"""Longest delay between two attempts, in seconds."""

# Close codes after which retrying is pointless (RFC 6455, 7.4.1), or not wanted (PROTOCOL.md).
_FINAL = {1002, 1009, *range(4005, 4008)}
_CREDENTIAL_ENDED = {1008, 4008}  # the same; the jobs run on


class Follower(Protocol):
    """The receiver of one job's messages."""

    id: str

    @property
    def closing_message(self) -> Message | None:
        """The message to send when the client closes; None if the job is to continue."""

    @property
    def is_unanswered(self) -> bool:
        """Whether its request was sent and no message of the job has arrived yet."""

    def receive(self, message: Message) -> None:
        """Handle a message of the job."""

    async def resume(self, link: Link) -> None:
        """Start or resume the job on a new link. Raises nothing."""

    def fail(self, error: ShellwireError) -> None:
        """Stop: no more messages will come."""


class Connection:
    """Keeps one client connected until it is closed.

    After a cut it retries for ``patience`` seconds. When that time is over, or after an error that
    retrying can't fix, all callers get the error, and the next request tries again. It never
    retries after another connection took over its client_id, after an administrator put this
    client out, or after invalid messages from the peer.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        *,
        patience: float,
        ping_interval: float,
        outage: Outage,
        transient: bool = False,
    ) -> None:
        self.client_id = client_id
        self._transient = transient
        self._outage = outage
        self._endpoint = endpoint
        self._patience = patience
        self._ping_interval = ping_interval
        self._followers: dict[str, Follower] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._current: asyncio.Future[Link] | None = None
        self._opening = asyncio.Lock()
        self._final_error: ShellwireError | None = None

    # Opening and closing -------------------------------------------------------------------------

    async def link(self) -> Link:
        """Return the current link; open or await one if needed. Raises the error of connecting."""
        async with self._opening:
            if self._final_error is not None:
                raise self._final_error
            if self._current is None:
                link = await self._open()
                self._current = asyncio.get_running_loop().create_future()
                self._current.set_result(link)
                self.spawn(self._supervise(link))
        return await asyncio.shield(self._current)

    @property
    def is_connected(self) -> bool:
        """Whether there is a link, as far as this side knows."""
        return self._current is not None and self._current.done()

    async def close(self) -> None:
        """Disconnect in order; jobs whose block is still open end."""
        for follower in list(self._followers.values()):
            if follower.closing_message is not None:
                await self.send_if_connected(follower.closing_message)
        current, tasks = self._current, list(self._tasks)
        self._final_error = self._final_error or Disconnected("this client is closed")
        self._give_up(self._final_error)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if current is not None and current.done() and current.exception() is None:
            await current.result().close()

    async def _open(self) -> Link:
        link = await Link.open(
            self._endpoint,
            self.client_id,
            self,
            ping_interval=self._ping_interval,
            transient=self._transient,
        )
        self._outage.ends()
        return link

    def link_closed(self, link: Link) -> None:
        """Make later requests wait for the next link."""
        if self._current is not None and self._current.done() and self._current.result() is link:
            self._current = asyncio.get_running_loop().create_future()

    async def _supervise(self, link: Link) -> None:
        while True:
            code, reason = await asyncio.shield(link.ended)
            assert self._current is not None  # only this method resets it
            if link.problem is not None:
                self._final_error = link.problem
                return self._give_up(self._final_error)
            how = f"{self._endpoint.name} {describe_close(code, reason)}"
            if code == REPLACED:
                self._final_error = Replaced(
                    f"{how}: client_id {self.client_id} has connected again"
                )
                return self._give_up(self._final_error)
            if code == KICKED:
                self._final_error = Kicked(how, printable(reason))
                return self._give_up(self._final_error)
            if code in _CREDENTIAL_ENDED:
                return self._give_up(CredentialEnded(how))
            if code in _FINAL:
                return self._give_up(Disconnected(how))
            self._outage.begins(how)
            try:
                link = await self._reopen(Disconnected(how))
            except ShellwireError as error:
                return self._give_up(error)
            self._current.set_result(link)
            for follower in list(self._followers.values()):
                self.spawn(follower.resume(link))

    async def _reopen(self, why: ShellwireError) -> Link:
        """Return a new link. After ``patience`` seconds raise the last error, initially ``why``."""
        deadline = time.monotonic() + self._patience
        longest = FIRST_DELAY
        while time.monotonic() < deadline:
            # Full jitter: clients cut at the same moment reconnect at different ones.
            await asyncio.sleep(min(random.uniform(0, longest), deadline - time.monotonic()))
            longest = min(2 * longest, LONGEST_DELAY)
            try:
                return await self._open()
            except InvalidAnswer as error:
                self._final_error = error
                raise
            except (Unreachable, NotRunning, ClientRejected) as error:
                why = error
        raise why

    def _give_up(self, error: ShellwireError) -> None:
        if self._current is not None and not self._current.done():
            self._current.set_exception(error)
            self._current.exception()  # mark it retrieved: there may be no waiter
        self._current = None
        for follower in list(self._followers.values()):
            follower.fail(error)
        self._followers.clear()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine in the background; closing the connection cancels it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Requests ------------------------------------------------------------------------------------

    async def ask(self, message: Message, *, repeatable: bool = True) -> Message:
        """Return the answer to ``message``; send it again after a cut if it is ``repeatable``.

        Raises the daemon's error, or that of the connection.
        """
        while True:
            link = await self.link()
            try:
                return await link.ask(message)
            except LinkClosed:
                if not repeatable:
                    raise Disconnected(
                        f"the connection broke during {message['type']}:"
                        " the daemon may or may not have done it"
                    ) from None
                await asyncio.shield(link.ended)  # from here on `link()` returns another one

    async def send_if_connected(self, message: Message) -> None:
        """Send a message that needs no answer, if connected; it is not repeated after a cut."""
        if self._current is not None and self._current.done():
            try:
                await self._current.result().send(message)
            except (LinkClosed, ShellwireError):
                return

    # Jobs ----------------------------------------------------------------------------------------

    async def follow(self, follower: Follower) -> None:
        """Deliver a job's messages to ``follower`` from now on. Raises as ``link``.

        Raises RuntimeError if the job has a follower already: a connection has one per job.
        """
        link = await self.link()
        if self._followers.get(follower.id, follower) is not follower:
            raise RuntimeError(f"this client follows job {follower.id} already")
        self._followers[follower.id] = follower
        await follower.resume(link)

    def rename(self, follower: Follower, job_id: str) -> None:
        """Use ``job_id`` for a follower that was registered under the job's name.

        Raises RuntimeError as ``follow`` does.
        """
        self.unfollow(follower)
        if job_id in self._followers:
            raise RuntimeError(f"this client follows job {job_id} already")
        follower.id = job_id
        self._followers[job_id] = follower

    def unfollow(self, follower: Follower) -> None:
        """Deliver no more messages to ``follower``."""
        if self._followers.get(follower.id) is follower:
            del self._followers[follower.id]

    def deliver(self, message: Message) -> None:
        """Deliver a message to the follower of its job.

        An error without an id is about a message that the daemon could not read. Any unanswered
        request may be that message, so all of them fail.
        """
        if message["type"] == "error" and message.get("id") is None:
            for each in list(self._followers.values()):
                if each.is_unanswered:
                    each.fail(from_wire(message["code"], message["message"]))
            return
        follower = self._followers.get(message.get("id") or "")
        if follower is not None:
            follower.receive(message)
        elif message["type"] == "output":
            # Output of background processes of a command that has ended.
            self.spawn(self.send_if_connected({"type": "detach", "id": message["id"]}))
