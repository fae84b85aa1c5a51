"""A link: one authenticated WebSocket to a daemon, from open to close; never reconnected.

Messages are untrusted: their size is limited on arrival, and they are validated before use.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Protocol

from websockets.frames import CloseCode

from shellwire.client.connect_errors import ABNORMAL_CLOSURE
from shellwire.client.handshake import open_socket
from shellwire.client.outgoing import encode
from shellwire.client.websocket_protocol import SocketClosed
from shellwire.errors import InvalidAnswer, InvalidMessage, from_wire
from shellwire.protocol.answers import read
from shellwire.protocol.text_bytes import FEATURE

if TYPE_CHECKING:
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.results import Message
    from shellwire.client.websocket import WebSocket
    from shellwire.errors import WireError


class LinkClosed(Exception):
    """The link has closed; requests without an answer stay unanswered."""


class Listener(Protocol):
    """The owner of a link."""

    def deliver(self, message: Message) -> None:
        """Handle a message that is not the answer to a request."""

    def link_closed(self, link: Link) -> None:
        """Handle the end of the link."""


class Link:
    """One open connection."""

    def __init__(self, ws: WebSocket, status: Message, listener: Listener, name: str) -> None:
        self.status = status
        self._name = name
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """Close code and reason, once the link has closed."""
        self._ws = ws
        self._listener = listener
        self.problem: InvalidAnswer | None = None
        """Set if the link was closed because of an invalid message."""
        self._text_bytes = FEATURE in status.get("features", ())
        self._numbers = count(1)
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        endpoint: Endpoint,
        client_id: str,
        listener: Listener,
        *,
        ping_interval: float,
        transient: bool = False,
    ) -> Link:
        """Connect and authenticate. Raises NotRunning, Unreachable, or the daemon's refusal."""
        ws, status = await open_socket(
            endpoint, client_id, ping_interval=ping_interval, transient=transient
        )
        return cls(ws, status, listener, endpoint.name)

    @property
    def instance(self) -> str | None:
        """Which run of the daemon this is: a restarted daemon remembers no ids."""
        found: str | None = self.status.get("instance")
        return found

    def had_job(self, client_id: str, job_id: str) -> bool:
        """Tell whether the daemon had this client's job when the link opened."""
        return any(
            job["id"] == job_id and job["client_id"] == client_id for job in self.status["jobs"]
        )

    def had_id(self, job_id: str) -> bool:
        """Tell whether any job had this id when the link opened."""
        return any(job["id"] == job_id for job in self.status["jobs"])

    async def job_info(self, job_id: str) -> Message | None:
        """Return a job's entry of ``list_jobs``, None if there is no such job. Raises LinkClosed.

        The entry may date from the opening of the link, when ``status`` listed all jobs.
        """
        listed = {job["id"]: job for job in self.status["jobs"]}
        if job_id not in listed:
            answer = await self.ask({"type": "list_jobs"})
            listed = {job["id"]: job for job in answer["jobs"]}
        return listed.get(job_id)

    async def send(self, message: Message) -> None:
        """Send a message. Raises LinkClosed, or InvalidMessage if it can't be sent."""
        data = encode(message, text_bytes=self._text_bytes)
        most = self.status["limits"]["max_message_bytes"]
        if len(data) > most:
            raise InvalidMessage(f"a message may have {most} bytes, this one has {len(data)}")
        if self.ended.done():
            raise LinkClosed
        try:
            await self._ws.send(data)
        except SocketClosed:
            raise LinkClosed from None

    async def ask(self, message: Message) -> Message:
        """Send a request and return its answer. Raises LinkClosed, or the error in the answer."""
        request_id = f"r{next(self._numbers)}"
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = answer
        try:
            await self.send({**message, "request_id": request_id})
            return await answer
        finally:
            del self._answers[request_id]
            if answer.done() and not answer.cancelled():
                answer.exception()  # mark it retrieved: `send` has raised already

    async def close(self) -> None:
        """Close the link with a close frame."""
        await self._ws.close()
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        code, reason = ABNORMAL_CLOSURE, ""
        try:
            while True:
                self._dispatch(read(await self._ws.receive(), text_bytes=self._text_bytes))
        except SocketClosed as end:
            code, reason = end.code, end.reason
        except InvalidAnswer as error:
            self.problem = InvalidAnswer(error.sent, self._name)
        finally:
            try:
                # Close before notifying: the listener may stop the event loop.
                await self._ws.close(CloseCode.PROTOCOL_ERROR)
            finally:
                self.ended.set_result((code, reason))
                self._listener.link_closed(self)
                for answer in self._answers.values():
                    if not answer.done():
                        answer.set_exception(self.problem or LinkClosed())

    def _dispatch(self, message: Message) -> None:
        answer = self._answers.get(message.get("request_id") or "")
        if answer is None and message["type"] == "error" and message.get("id") is None:
            self._fail_all(from_wire(message["code"], message["message"]))
        if answer is None or message["type"] == "attached":
            # `attached` must be delivered before the messages after it, and those may be read
            # before the waiting task runs.
            self._listener.deliver(message)
        if answer is None or answer.done():
            return
        if message["type"] == "error":
            answer.set_exception(from_wire(message["code"], message["message"]))
        else:
            answer.set_result(message)

    def _fail_all(self, error: WireError) -> None:
        """Fail all pending requests: the daemon could not tell which message its error is about."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)
