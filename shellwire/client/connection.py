"""A connection that lasts: it is made anew when it breaks, and its jobs go on where they were.

What had been asked is asked again on the next link, unless asking twice would do it twice.
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
    Disconnected,
    InvalidAnswer,
    NotRunning,
    Replaced,
    ShellwireError,
    Unreachable,
    from_wire,
)
from shellwire.protocol.limits import REPLACED

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shellwire.client.endpoint import Endpoint
    from shellwire.client.reconnect_notice import Outage
    from shellwire.client.results import Message

FIRST_DELAY = 0.1
"""Seconds within which the first new attempt is made; the next ones take up to twice as long."""

LONGEST_DELAY = 5.0
"""Seconds between two attempts at most."""

# RFC 6455, 7.4.1: what the daemon will not change its mind about.
_FINAL = {1002, 1008, 1009}


class Follower(Protocol):
    """What wants a job's messages."""

    id: str

    @property
    def closing_message(self) -> Message | None:
        """What the daemon must be told when the client leaves for good."""

    @property
    def is_unanswered(self) -> bool:
        """Whether it has asked for its job and nothing of that has come yet."""

    def receive(self, message: Message) -> None:
        """Deal with a message of its job."""

    async def resume(self, link: Link) -> None:
        """Say on a new link what the daemon must know. Raises nothing."""

    def fail(self, error: ShellwireError) -> None:
        """No more messages will come."""


class Connection:
    """Keeps one client connected while it is open.

    When it is cut it tries again for ``patience`` seconds. After that, and after an end that can't
    be mended, whoever waits gets the error, and the next question tries anew; but not after another
    connection has taken over, nor where what answers has sent what no daemon sends.
    """

    def __init__(
        self,
        place: Endpoint,
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
        self._place = place
        self._patience = patience
        self._ping_interval = ping_interval
        self._followers: dict[str, Follower] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._current: asyncio.Future[Link] | None = None
        self._opening = asyncio.Lock()
        self._final_error: ShellwireError | None = None

    # Opening and closing -------------------------------------------------------------------------

    async def link(self) -> Link:
        """Return the link, once there is one. Raises why there is none."""
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
        """Whether there is a link, as far as is known here."""
        return self._current is not None and self._current.done()

    async def close(self) -> None:
        """Disconnect, in order. Jobs that nobody else is to follow end."""
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
            self._place,
            self.client_id,
            self,
            ping_interval=self._ping_interval,
            transient=self._transient,
        )
        self._outage.ends()
        return link

    def link_closed(self, link: Link) -> None:
        """Let who asks from now on wait for the next link."""
        if self._current is not None and self._current.done() and self._current.result() is link:
            self._current = asyncio.get_running_loop().create_future()

    async def _supervise(self, link: Link) -> None:
        while True:
            code, reason = await asyncio.shield(link.ended)
            assert self._current is not None  # only this makes it so
            if link.problem is not None:
                self._final_error = link.problem
                return self._give_up(self._final_error)
            how = f"{self._place.name} {describe_close(code, reason)}"
            if code == REPLACED:
                self._final_error = Replaced(
                    f"{how}: client_id {self.client_id} has connected again"
                )
                return self._give_up(self._final_error)
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
        """Return a new link. When patience is over, raises the last error; ``why`` at first."""
        deadline = time.monotonic() + self._patience
        longest = FIRST_DELAY
        while time.monotonic() < deadline:
            # Full jitter: clients that were cut together don't come back together.
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
            self._current.exception()  # there may be nobody who waits for it
        self._current = None
        for follower in list(self._followers.values()):
            follower.fail(error)
        self._followers.clear()

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have work done that ends with the connection at the latest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Talking -------------------------------------------------------------------------------------

    async def ask(self, message: Message, *, repeatable: bool = True) -> Message:
        """Return the answer to ``message``, asking again after a cut if it is ``repeatable``.

        Raises the error that it is answered with, or why there is no answer.
        """
        while True:
            link = await self.link()
            try:
                return await link.ask(message)
            except LinkClosed:
                if not repeatable:
                    raise Disconnected(
                        f"the connection broke during {message['type']}:"
                        " it is not known whether it was done"
                    ) from None
                await asyncio.shield(link.ended)  # now it is not the current one any more

    async def send_if_connected(self, message: Message) -> None:
        """Send what needs no answer, if there is a link now; after a cut it means nothing."""
        if self._current is not None and self._current.done():
            try:
                await self._current.result().send(message)
            except (LinkClosed, ShellwireError):
                return

    # Following -----------------------------------------------------------------------------------

    async def follow(self, follower: Follower) -> None:
        """Hand it its job's messages from now on. Raises why there is no link.

        RuntimeError if another has them: a connection has one view of a job.
        """
        link = await self.link()
        if self._followers.get(follower.id, follower) is not follower:
            raise RuntimeError(f"this client follows job {follower.id} already")
        self._followers[follower.id] = follower
        await follower.resume(link)

    def rename(self, follower: Follower, job_id: str) -> None:
        """Hand it the messages of this id: what it went by was the job's name.

        RuntimeError as ``follow``.
        """
        self.unfollow(follower)
        if job_id in self._followers:
            raise RuntimeError(f"this client follows job {job_id} already")
        follower.id = job_id
        self._followers[job_id] = follower

    def unfollow(self, follower: Follower) -> None:
        """Hand it no more."""
        if self._followers.get(follower.id) is follower:
            del self._followers[follower.id]

    def deliver(self, message: Message) -> None:
        """Hand a message to whoever follows its job.

        An error that names none is about a message that the daemon could not read: whatever it was,
        none that has had no answer is known to have come.
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
            # Left in the background by a command whose end has been told.
            self.spawn(self.send_if_connected({"type": "detach", "id": message["id"]}))
