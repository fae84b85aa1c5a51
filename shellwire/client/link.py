"""One WebSocket to a daemon, authenticated: it ends when the socket does, and is not revived."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from itertools import count
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp import WSMsgType

from shellwire.errors import InvalidMessage, NotRunning, Unreachable, told
from shellwire.home.socket import socket_address
from shellwire.output import printable
from shellwire.protocol.limits import PROTOCOL_VERSION

if TYPE_CHECKING:
    from shellwire.client.place import Place, Target
    from shellwire.client.results import Message

SECONDS = 10.0
"""Seconds that a daemon has to let us in."""

BROKEN = 1006
"""What RFC 6455 calls the close code of a connection that ended without one."""


class Cut(Exception):
    """The link has ended; what had no answer has none."""


class Listener(Protocol):
    """Who uses a link."""

    def deliver(self, message: Message) -> None:
        """Deal with a message that answers no question."""

    def lost(self, link: Link) -> None:
        """The link has just ended."""


class Link:
    """One connection."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ws: aiohttp.ClientWebSocketResponse,
        status: Message,
        listener: Listener,
    ) -> None:
        self.status = status
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """Close code and reason, once it has ended."""
        self._session = session
        self._ws = ws
        self._listener = listener
        self._numbers = count(1)
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        place: Place,
        client_id: str,
        listener: Listener,
        *,
        ping_interval: float,
    ) -> Link:
        """Connect and authenticate. Raises NotRunning, Unreachable, or the refusal."""
        target = place.target()
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(SECONDS):
                    session, ws = await _connect(target, stack, ping_interval)
                    status = await _authenticate(ws, client_id, target.token, place.name)
            except TimeoutError:
                raise Unreachable(f"{place.name} has not answered in {SECONDS:g} s") from None
            except aiohttp.WSServerHandshakeError as error:
                raise Unreachable(f"{place.name} {_refusal(error)}") from None
            except (OSError, aiohttp.ClientError, ValueError) as error:
                raise unreachable(error, target, place.name) from None
            stack.pop_all()
        return cls(session, ws, status, listener)

    @property
    def instance(self) -> str | None:
        """Which start of the daemon it is: another one remembers no ids."""
        found: str | None = self.status.get("instance")
        return found

    def knows(self, client_id: str, job_id: str) -> bool:
        """Tell whether the daemon knew that job when we came."""
        return any(
            job["id"] == job_id and job["client_id"] == client_id for job in self.status["jobs"]
        )

    async def look_up(self, job_id: str) -> Message | None:
        """Return what `list_jobs` says of the job of that id, None if it is not there. Raises Cut.

        It may be as old as the link: the daemon has told of all jobs when we came.
        """
        listed = {job["id"]: job for job in self.status["jobs"]}
        if job_id not in listed:
            answer = await self.ask({"type": "list_jobs"})
            listed = {job["id"]: job for job in answer["jobs"]}
        return listed.get(job_id)

    async def send(self, message: Message) -> None:
        """Send; return when it is on its way. Raises Cut, and InvalidMessage if it is too long."""
        text = json.dumps(message)
        most = self.status["limits"]["max_message_bytes"]
        if len(text) > most:  # json.dumps gives ASCII
            raise InvalidMessage(f"a message may have {most} bytes, this one has {len(text)}")
        if self.ended.done():
            raise Cut
        try:
            await self._ws.send_str(text)
        except (OSError, aiohttp.ClientError):
            raise Cut from None

    async def ask(self, message: Message) -> Message:
        """Send and return the answer. Raises Cut, or the error that it is answered with."""
        request_id = f"r{next(self._numbers)}"
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = answer
        try:
            await self.send({**message, "request_id": request_id})
            return await answer
        finally:
            del self._answers[request_id]
            if answer.done() and not answer.cancelled():
                answer.exception()  # it has been told already, by `send`

    async def close(self) -> None:
        """End it, in order."""
        with contextlib.suppress(OSError, aiohttp.ClientError):
            await self._ws.close()
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._session.close()

    async def _read(self) -> None:
        code, reason = BROKEN, ""
        try:
            while True:
                frame = await self._ws.receive()
                if frame.type is not WSMsgType.TEXT:
                    break
                self._dispatch(json.loads(frame.data))
            if frame.type is WSMsgType.CLOSE:
                code, reason = frame.data or BROKEN, str(frame.extra or "")
        except (ValueError, KeyError):
            reason = "it sent what is no message"
        finally:
            self.ended.set_result((code, reason))
            self._listener.lost(self)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Cut())
            await self._session.close()

    def _dispatch(self, message: Message) -> None:
        answer = self._answers.get(message.get("request_id") or "")
        if answer is None or message["type"] == "attached":
            # What follows `attached` must find it known, and may be read before who asked runs.
            self._listener.deliver(message)
        if answer is None or answer.done():
            return
        if message["type"] == "error":
            answer.set_exception(told(message["code"], message["message"]))
        else:
            answer.set_result(message)


async def _connect(
    target: Target, stack: contextlib.AsyncExitStack, ping_interval: float
) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    connector: aiohttp.BaseConnector
    with contextlib.ExitStack() as addressed:
        if target.home is not None:
            connector = aiohttp.UnixConnector(addressed.enter_context(socket_address(target.home)))
        else:
            connector = aiohttp.TCPConnector()
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        ws = await session.ws_connect(
            target.url, max_msg_size=0, heartbeat=ping_interval, compress=15
        )
    stack.push_async_callback(ws.close)
    return session, ws


async def _authenticate(
    ws: aiohttp.ClientWebSocketResponse, client_id: str, token: str | None, name: str
) -> Message:
    auth: Message = {"type": "auth", "client_id": client_id, "protocol": PROTOCOL_VERSION}
    await ws.send_str(json.dumps(auth if token is None else {**auth, "token": token}))
    frame = await ws.receive()
    if frame.type is not WSMsgType.TEXT:
        raise Unreachable(f"{name} {ending(ws.close_code or BROKEN, str(frame.extra or ''))}")
    message = json.loads(frame.data)
    kind = message.get("type") if isinstance(message, dict) else None
    if kind == "error":
        raise told(message["code"], message["message"])
    if kind != "status":
        raise Unreachable(f"what answers at {name} is no shellwire")
    found: Message = message
    return found


def ending(code: int, reason: str) -> str:
    """Say how a connection ended, as the end of a sentence about the daemon."""
    if code == BROKEN:
        return "broke off the connection"
    words = f" {printable(reason)}" if reason else ""
    return f"closed the connection ({code}{words})"


def _refusal(error: aiohttp.WSServerHandshakeError) -> str:
    if error.status == 403:
        return "refused this name for it (403); `start --allow-host` adds one"
    if error.status == 429:
        seconds = error.headers.get("Retry-After", "60") if error.headers else "60"
        return f"got too many wrong tokens from here (429); try again in {printable(seconds)} s"
    return f"is no shellwire: it answered with {error.status}"


def unreachable(error: Exception, target: Target, name: str) -> NotRunning | Unreachable:
    """Return what is to be said of a connection that could not be made."""
    cause = getattr(error, "os_error", error)
    if target.home is not None and isinstance(cause, ConnectionRefusedError | FileNotFoundError):
        return NotRunning(f"shellwire is not running: nothing listens at {name}")
    reason = str(error) or type(error).__name__
    if isinstance(cause, socket.gaierror):
        reason = cause.strerror or reason
    elif isinstance(cause, OSError) and cause.errno:
        reason = os.strerror(cause.errno)  # asyncio has words of its own
    return Unreachable(f"{name} can't be reached: {printable(reason)}")
