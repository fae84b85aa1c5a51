"""The receiving side of a job: handles its messages, queues its output until it is read.

It attaches again after each reconnect, and decides from the messages received so far whether to
send its request again (PROTOCOL.md, Reconnecting).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from shellwire.client.flow_control import WINDOW, FlowControl
from shellwire.client.results import Decoders, Notice, Result
from shellwire.client.wire import Link, LinkClosed
from shellwire.errors import Disconnected, InvalidAnswer, NotFound, ShellwireError, from_wire
from shellwire.errors.local import CredentialEnded

if TYPE_CHECKING:
    from shellwire.client.connection import Connection
    from shellwire.client.results import Chunk, Message

# Each reattach may bring one more window while earlier output is still unread.
_MAX_WAITING = 64 * WINDOW

OnLeave = Literal["end", "detach"]


class JobMessages:
    """The state of one job, built from its messages."""

    def __init__(
        self,
        connection: Connection,
        request: Message,
        *,
        leaving: OnLeave,
        after: int = 0,
        feed: str | bytes | None = None,
    ) -> None:
        self.id: str = request["id"]
        """The job's id: pass it to ``Client.attach`` of any client."""
        self.end = after
        """Offset up to which output has arrived at this client."""
        self.size: tuple[int, int] | None = None
        """Columns and rows of its terminal when it was started or attached to; None without one."""
        if request.get("is_pty") or request.get("use_pty"):
            self.size = (request.get("cols", 80), request.get("rows", 24))
        self.live_from = 0
        """Offset of the output when this client attached; earlier output is replayed."""
        self.pid: int | None = None
        """A session's process id; None for a command."""
        self._connection = connection
        self._request = request
        self._leaving = leaving
        self._feed = feed
        self._queued = False
        self._was_queued = asyncio.Event()
        self._answered = request["type"] == "attach"
        self._instance: str | None = None
        self._requests_sent = 0
        self._begun = asyncio.Event()
        self._entered = False
        self._left = False
        self._chunks: deque[Chunk] = deque()
        self._waiting = 0
        self._changed = asyncio.Event()
        self._decoders = Decoders()
        self._flow = FlowControl(after)
        self._gap = 0
        self._missing = 0
        self._notices: list[Notice] = []
        self._result: Result | None = None
        self._error: ShellwireError | None = None
        self._input_error: ShellwireError | None = None

    async def next_chunk(self) -> Chunk | None:
        """Return the next chunk, waiting for it; None at the end. Raises if the output broke."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._result is not None:
                return None
            self._changed.clear()
            await self._changed.wait()
        taken = self._chunks.popleft()
        self._waiting -= len(taken.bytes)
        credit = self._flow.next_credit(taken.end, self.live_from)
        if credit is not None:
            await self._connection.send_if_connected(self._message("credit", end=credit))
        return taken

    @property
    def result(self) -> Result:
        """How the job ended. Raises RuntimeError before its end, and until its output is read."""
        if self._result is None:
            raise RuntimeError(f"job {self.id} has not ended yet")
        return self._result

    def _message(self, kind: str, **fields: Any) -> Message:
        return {"type": kind, "id": self.id, **fields}

    # Messages from the connection ----------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether the job has ended or can't be followed any more; output may remain to be read."""
        return self._result is not None or self._error is not None

    @property
    def is_queued(self) -> bool:
        """Whether the job waits for a slot, as far as this client knows; may be out of date."""
        return self._queued and not self.is_over

    @property
    def is_connected(self) -> bool:
        """Whether the client is connected to the daemon, as far as it knows."""
        return self._connection.is_connected

    @property
    def closing_message(self) -> Message | None:
        """The message to send when the client closes; None if the job is to continue."""
        return self._message("kill_session") if self._leaving == "end" else None

    @property
    def is_unanswered(self) -> bool:
        """Whether the request was sent and no message of the job has arrived yet."""
        return self._requests_sent > 0 and not self._answered

    async def resume(self, link: Link) -> None:
        """Start the job on the first link; reattach on later ones."""
        try:
            client_id = self._connection.client_id
            if self._answered or (self._requests_sent and link.had_job(client_id, self.id)):
                await self._attach(link)
            else:
                await self._send(link)
                if self._request["type"] == "start_session":
                    return  # the answer sets `_begun`
            self._begun.set()
        except LinkClosed:
            return  # the next link resumes
        except ShellwireError as error:
            self.fail(error)

    async def _send(self, link: Link) -> None:
        """Send the request: the first time, or again to a daemon that remembers ids it has run."""
        if self._requests_sent and link.instance != self._instance:
            raise Disconnected(
                f"the daemon was restarted before it answered {self.id}:"
                " the command may or may not have run"
            )
        self._requests_sent += 1
        self._instance = link.instance
        await link.send(self._request | {"window": self._window(link)})
        if self._requests_sent == 1:
            self._on_first_request()

    def _on_first_request(self) -> None:
        """Hook: called once, when the request has been sent for the first time."""

    async def _attach(self, link: Link) -> None:
        if self._instance is None:
            await self._find_id(link)
        known = await link.job_info(self.id)
        if known is not None:
            self.live_from = known["end"]
            if known["is_pty"] and self.size is None:
                self.size = (known["cols"], known["rows"])
        window = self._window(link)
        self._flow.restart(self.end)
        attach = self._message("attach", after=self.end, window=window, encoding="base64")
        credit = self._flow.next_credit(self.end, self.live_from)
        if credit is None:
            await link.ask(attach)
        else:
            # Sent with the attach, not after its answer: waiting would cost a round trip of replay.
            await asyncio.gather(link.ask(attach), link.send(self._message("credit", end=credit)))

    def _window(self, link: Link) -> int:
        buffer_bytes: int = link.status["limits"]["buffer_bytes"]
        return self._flow.choose_window(buffer_bytes, is_terminal=self.size is not None)

    async def _find_id(self, link: Link) -> None:
        """Learn the job's id if the caller gave its name: messages carry the id."""
        if not link.had_id(self.id):
            page = await link.ask(self._message("read_output", max_bytes=1))
            if page["id"] != self.id:
                self._connection.rename(self, page["id"])
        self._instance = link.instance

    def receive(self, message: Message) -> None:
        """Handle a message of the job."""
        self._answered = True
        handler = _HANDLERS.get(message["type"])
        if handler is not None:
            handler(self, message)
            self._begun.set()
            self._changed.set()

    def fail(self, error: ShellwireError) -> None:
        """Stop following: the job was refused, or the connection is gone for good."""
        if not self.is_over:
            kept = self._begun.is_set() and self._request.get("on_disconnect") != "kill"
            if kept and isinstance(error, CredentialEnded):
                error = error.of_job(self.id, started=self._answered)
            self._error = error
        self._connection.unfollow(self)
        self._begun.set()
        self._changed.set()

    def _on_attached(self, message: Message) -> None:
        self.live_from = message["end"]
        self.end = message["after"]
        self._set_queued(message["state"] == "queued")
        if message["cols"] is not None:
            self.size = (message["cols"], message["rows"])

    def _on_output(self, message: Message) -> None:
        replayed = message["end"] <= self.live_from
        chunk = self._decoders.chunk(message, missing=self._gap, replayed=replayed)
        self._waiting += len(chunk.bytes)
        if self._waiting > _MAX_WAITING:
            raise InvalidAnswer("more output than the window allows")
        self._gap = 0
        self._queued = False
        self.end = chunk.end
        self._chunks.append(chunk)

    def _on_gap(self, message: Message) -> None:
        self._gap += message["to"] - message["from"]
        self._missing += message["to"] - message["from"]
        self.end = message["to"]

    def _on_notice(self, message: Message) -> None:
        notice = Notice(message["code"], message["message"])
        if notice not in self._notices:  # `attach` repeats notices
            self._notices.append(notice)

    def _on_queued(self, message: Message) -> None:
        self._set_queued(True)

    def _set_queued(self, queued: bool) -> None:
        self._queued = queued
        if queued:
            self._was_queued.set()

    def _on_started(self, message: Message) -> None:
        self.pid = message["pid"]

    def _on_end(self, message: Message) -> None:
        self._chunks += self._decoders.flush(self.end)
        if self._input_error is not None:
            self.fail(self._input_error)
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
            message=message.get("message"),
            by=message.get("by"),
        )
        self._connection.unfollow(self)

    def _on_error(self, message: Message) -> None:
        if message.get("operation") == "attach" and message.get("request_id") is None:
            # The role that allowed to follow the job has ended.
            self.fail(from_wire(message["code"], message["message"]))
            return
        if message.get("operation") not in ("execute", "start_session"):
            return
        error: ShellwireError = from_wire(message["code"], message["message"])
        if self._requests_sent > 1 and message["code"] == "DUPLICATE_ID":
            error = NotFound(f"job {self.id} has run, and the daemon has forgotten how it ended")
        self.fail(error)


_HANDLERS = {
    "attached": JobMessages._on_attached,
    "output": JobMessages._on_output,
    "gap": JobMessages._on_gap,
    "notice": JobMessages._on_notice,
    "command_queued": JobMessages._on_queued,
    "session_started": JobMessages._on_started,
    "result": JobMessages._on_end,
    "session_ended": JobMessages._on_end,
    "error": JobMessages._on_error,
}
