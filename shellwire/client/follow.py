"""The receiving side of a job: what the connection hands over, kept until it is taken.

Nothing here polls or resumes on a whim: a link tells once that it is there, and what it must be
told is decided from what has been heard before (PROTOCOL.md, Reconnecting).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from shellwire.client.results import Decoders, Notice, Result
from shellwire.client.wire import Cut, Link
from shellwire.errors import Disconnected, InvalidAnswer, NotFound, ShellwireError, from_wire

if TYPE_CHECKING:
    from shellwire.client.connection import Connection
    from shellwire.client.results import Chunk, Message

WINDOW = 1024 * 1024
"""Bytes of a job's output that may wait here, or be on their way; beyond that the job blocks."""

TERMINAL_WINDOW = 64 * 1024
"""The same for what a terminal writes while its user looks on. After Ctrl-C all that is on its way
is shown before the prompt, so it must not be much."""

# A window after each time that it was attached to anew, while what came before was not taken.
_MOST_WAITING = 64 * WINDOW

Leaving = Literal["end", "detach"]


class Followed:
    """A job as its messages tell of it."""

    def __init__(
        self,
        connection: Connection,
        request: Message,
        *,
        leaving: Leaving,
        after: int = 0,
        feed: str | bytes | None = None,
    ) -> None:
        self.id: str = request["id"]
        """The job's id: with this it is attached to again, from anywhere."""
        self.end = after
        """Offset up to which its output has arrived here."""
        self.size: tuple[int, int] | None = None
        """Columns and rows of its terminal when it was begun or attached to; None without one."""
        if request.get("is_pty") or request.get("use_pty"):
            self.size = (request.get("cols", 80), request.get("rows", 24))
        self.live_from = 0
        """Offset where its output stood when it was attached to: what comes before is replayed."""
        self.pid: int | None = None
        """A session's process; None for a command."""
        self._connection = connection
        self._request = request
        self._leaving = leaving
        self._feed = feed
        self._queued = False
        self._was_queued = asyncio.Event()
        self._heard = request["type"] == "attach"
        self._instance: str | None = None
        self._sent = 0
        self._begun = asyncio.Event()
        self._entered = False
        self._left = False
        self._chunks: deque[Chunk] = deque()
        self._waiting = 0
        self._changed = asyncio.Event()
        self._decoders = Decoders()
        self._credited = after
        # How many bytes what is replayed and what is live may be ahead of what was taken.
        self._replay_window = self._live_window = WINDOW
        self._gap = 0
        self._missing = 0
        self._notices: list[Notice] = []
        self._result: Result | None = None
        self._error: ShellwireError | None = None
        self._spoiled: ShellwireError | None = None

    async def next_chunk(self) -> Chunk | None:
        """Return what it has written, waiting for it; None at its end. Raises what cut it short."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._result is not None:
                return None
            self._changed.clear()
            await self._changed.wait()
        taken = self._chunks.popleft()
        self._waiting -= len(taken.bytes)
        credit = self._credit(taken.end)
        if credit is not None:
            await self._connection.tell(credit)
        return taken

    def _credit(self, taken: int) -> Message | None:
        """Return what is to be told when all up to ``taken`` was taken; None if nothing yet.

        What is replayed is credited ahead: the daemon has a job's live window to keep to, and may
        send so much more of what the job has written already.
        """
        ahead = min(taken + self._replay_window - self._live_window, self.live_from)
        end = max(taken, ahead)
        if end - self._credited < self._live_window // 2:
            return None
        self._credited = end
        return self._about_it("credit", end=end)

    @property
    def result(self) -> Result:
        """How it ended. Raises RuntimeError if it has not, or not yet been read to its end."""
        if self._result is None:
            raise RuntimeError(f"job {self.id} has not ended yet")
        return self._result

    def _about_it(self, kind: str, **fields: Any) -> Message:
        return {"type": kind, "id": self.id, **fields}

    # What the connection says --------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or can't be followed any more; output may be left to be read."""
        return self._result is not None or self._error is not None

    @property
    def is_queued(self) -> bool:
        """Whether it waits for a slot; may be late to tell that it does not any more."""
        return self._queued and not self.is_over

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection to the daemon now, as far as is known here."""
        return self._connection.is_connected

    @property
    def farewell(self) -> Message | None:
        """What the daemon must be told when the client leaves for good."""
        return self._about_it("kill_session") if self._leaving == "end" else None

    @property
    def is_unanswered(self) -> bool:
        """Whether it has asked for its job and nothing of that has come yet."""
        return self._sent > 0 and not self._heard

    async def resume(self, link: Link) -> None:
        """Begin it on a first link; take it up again on a later one."""
        try:
            if self._heard or (self._sent and link.knows(self._connection.client_id, self.id)):
                await self._attach(link)
            else:
                await self._send(link)
                if self._request["type"] == "start_session":
                    return  # begun when it is answered
            self._begun.set()
        except Cut:
            return  # the next link will be told
        except ShellwireError as error:
            self.fail(error)

    async def _send(self, link: Link) -> None:
        """Send its request: for the first time, or to a daemon that would know if it had come."""
        if self._sent and link.instance != self._instance:
            raise Disconnected(
                f"the daemon was started anew before it answered {self.id}:"
                " it is not known whether it ran"
            )
        self._sent += 1
        self._instance = link.instance
        await link.send(self._request | {"window": self._measure(link)})
        if self._sent == 1:
            self._requested()

    def _requested(self) -> None:
        """The request has been sent, for the first time."""

    async def _attach(self, link: Link) -> None:
        if self._instance is None:
            await self._find_id(link)
        known = await link.look_up(self.id)
        if known is not None:
            self.live_from = known["end"]
            if known["is_pty"] and self.size is None:
                self.size = (known["cols"], known["rows"])
        window = self._measure(link)
        self._credited = self.end
        attach = self._about_it("attach", after=self.end, window=window, encoding="base64")
        credit = self._credit(self.end)
        if credit is None:
            await link.ask(attach)
        else:
            # Behind it, and not behind its answer: that would be a round trip without a replay.
            await asyncio.gather(link.ask(attach), link.send(credit))

    def _measure(self, link: Link) -> int:
        """Return the window to ask for."""
        # The daemon takes one larger than its buffer for that, and waits for credit by then.
        self._replay_window = min(WINDOW, link.status["limits"]["buffer_bytes"])
        live = WINDOW if self.size is None else TERMINAL_WINDOW
        self._live_window = min(live, self._replay_window)
        return self._live_window

    async def _find_id(self, link: Link) -> None:
        """Learn the job's id, which its messages carry, if we were given its name."""
        if not link.has_id(self.id):
            page = await link.ask(self._about_it("read_output", max_bytes=1))
            if page["id"] != self.id:
                self._connection.rename(self, page["id"])
        self._instance = link.instance

    def take(self, message: Message) -> None:
        """Deal with a message of the job."""
        self._heard = True
        handler = _HANDLERS.get(message["type"])
        if handler is not None:
            handler(self, message)
            self._begun.set()
            self._changed.set()

    def fail(self, error: ShellwireError) -> None:
        """It can't be followed any more, or was refused."""
        if not self.is_over:
            self._error = error
        self._connection.unfollow(self)
        self._begun.set()
        self._changed.set()

    def _take_attached(self, message: Message) -> None:
        self.live_from = message["end"]
        self.end = message["after"]
        self._set_queued(message["state"] == "queued")
        if message["cols"] is not None:
            self.size = (message["cols"], message["rows"])

    def _take_output(self, message: Message) -> None:
        replayed = message["end"] <= self.live_from
        each = self._decoders.chunk(message, missing=self._gap, replayed=replayed)
        self._waiting += len(each.bytes)
        if self._waiting > _MOST_WAITING:
            raise InvalidAnswer("more output than was asked for")
        self._gap = 0
        self._queued = False
        self.end = each.end
        self._chunks.append(each)

    def _take_gap(self, message: Message) -> None:
        self._gap += message["to"] - message["from"]
        self._missing += message["to"] - message["from"]
        self.end = message["to"]

    def _take_notice(self, message: Message) -> None:
        notice = Notice(message["code"], message["message"])
        if notice not in self._notices:  # it is repeated after `attach`
            self._notices.append(notice)

    def _take_queued(self, message: Message) -> None:
        self._set_queued(True)

    def _set_queued(self, queued: bool) -> None:
        self._queued = queued
        if queued:
            self._was_queued.set()

    def _take_started(self, message: Message) -> None:
        self.pid = message["pid"]

    def _take_end(self, message: Message) -> None:
        self._chunks += self._decoders.rest(self.end)
        if self._spoiled is not None:
            self.fail(self._spoiled)
            return
        self._result = Result(
            id=self.id,
            exit_code=message["exit_code"],
            reason=message["reason"],
            signal=message["signal"],
            error=message["error"],
            duration_ms=message["duration_ms"],
            cwd=message.get("cwd"),
            committed=message.get("committed", False),
            stdout_bytes=message.get("stdout", "").encode(),
            stderr_bytes=message.get("stderr", "").encode(),
            truncated=message.get("truncated", False),
            missing=self._missing,
            notices=tuple(self._notices),
        )
        self._connection.unfollow(self)

    def _take_error(self, message: Message) -> None:
        if message.get("operation") not in ("execute", "start_session"):
            return
        error: ShellwireError = from_wire(message["code"], message["message"])
        if self._sent > 1 and message["code"] == "DUPLICATE_ID":
            error = NotFound(f"job {self.id} has run, and the daemon has forgotten how it ended")
        self.fail(error)


_HANDLERS = {
    "attached": Followed._take_attached,
    "output": Followed._take_output,
    "gap": Followed._take_gap,
    "notice": Followed._take_notice,
    "command_queued": Followed._take_queued,
    "session_started": Followed._take_started,
    "result": Followed._take_end,
    "session_ended": Followed._take_end,
    "error": Followed._take_error,
}
