"""One WebSocket to a daemon, authenticated: it ends when the socket does, and is not revived.

What comes is not trusted: a message is bounded while it arrives, and checked before it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from itertools import count
from typing import TYPE_CHECKING, Literal, Protocol

import aiohttp
from aiohttp import WebSocketError, WSCloseCode, WSMsgType

from shellwire.client.outgoing import encoded
from shellwire.errors import (
    ClientRejected,
    InvalidAnswer,
    InvalidMessage,
    NotRunning,
    Refusal,
    Unreachable,
    from_wire,
)
from shellwire.home.socket import socket_address
from shellwire.output import printable, quoted
from shellwire.protocol.answers import read
from shellwire.protocol.limits import MAX_DAEMON_MESSAGE, PROTOCOL_VERSION
from shellwire.protocol.text_bytes import FEATURE, read_fields

if TYPE_CHECKING:
    from shellwire.client.endpoint import Place, Target
    from shellwire.client.results import Message
    from shellwire.errors import WireError

    Socket = aiohttp.ClientWebSocketResponse[Literal[False]]

SECONDS = 10.0
"""Seconds that a daemon has to let us in."""

CLOSE_SECONDS = 2.0
"""Seconds that a daemon has to answer our close frame."""

BROKEN = 1006
"""What RFC 6455 calls the close code of a connection that ended without one."""


_SHOWN = 200


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
        ws: Socket,
        status: Message,
        listener: Listener,
        name: str,
    ) -> None:
        self.status = status
        self._name = name
        self.ended: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        """Close code and reason, once it has ended."""
        self._session = session
        self._ws = ws
        self._listener = listener
        self.problem: InvalidAnswer | None = None
        """Why it ended, if what came was nothing that a daemon sends."""
        self._text_bytes = FEATURE in status.get("features", ())
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
        transient: bool = False,
    ) -> Link:
        """Connect and authenticate. Raises NotRunning, Unreachable, or the refusal."""
        target = place.target()
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(SECONDS):
                    session, ws = await _connect(target, stack, ping_interval)
                    auth = _auth(client_id, target.token, transient=transient)
                    status = await _authenticate(ws, auth, place.name)
            except TimeoutError:
                raise Unreachable(f"{place.name} has not answered in {SECONDS:g} s") from None
            except aiohttp.WSServerHandshakeError as error:
                raise Unreachable(f"{place.name} {_refusal(error)}") from None
            except InvalidAnswer as error:
                raise _invalid(place.name, error) from None
            except (OSError, aiohttp.ClientError, ValueError) as error:
                raise unreachable(error, target, place.name) from None
            stack.pop_all()
        return cls(session, ws, status, listener, place.name)

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

    def has_id(self, job_id: str) -> bool:
        """Tell whether that was a job's id when we came."""
        return any(job["id"] == job_id for job in self.status["jobs"])

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
        """Send; return when it is on its way. Raises Cut, InvalidMessage if it can't be sent."""
        data = encoded(message, text_bytes=self._text_bytes)
        most = self.status["limits"]["max_message_bytes"]
        if len(data) > most:
            raise InvalidMessage(f"a message may have {most} bytes, this one has {len(data)}")
        if self.ended.done():
            raise Cut
        try:
            await self._ws.send_frame(data, WSMsgType.TEXT)
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
                self._dispatch(read(frame.data, text_bytes=self._text_bytes))
            _refuse(frame.type, frame.data)
            if frame.type is WSMsgType.CLOSE:
                code, reason = frame.data or BROKEN, str(frame.extra or "")
        except InvalidAnswer as error:
            self.problem = _invalid(self._name, error)
        finally:
            try:
                # First, for who hears of the end may end the event loop.
                if self.problem is not None:
                    with contextlib.suppress(OSError, aiohttp.ClientError):
                        await self._ws.close(code=WSCloseCode.PROTOCOL_ERROR)
                await self._session.close()
            finally:
                self.ended.set_result((code, reason))
                self._listener.lost(self)
                for answer in self._answers.values():
                    if not answer.done():
                        answer.set_exception(self.problem or Cut())

    def _dispatch(self, message: Message) -> None:
        answer = self._answers.get(message.get("request_id") or "")
        if answer is None and message["type"] == "error" and message.get("id") is None:
            self._fail_all(from_wire(message["code"], message["message"]))
        if answer is None or message["type"] == "attached":
            # What follows `attached` must find it known, and may be read before who asked runs.
            self._listener.deliver(message)
        if answer is None or answer.done():
            return
        if message["type"] == "error":
            answer.set_exception(from_wire(message["code"], message["message"]))
        else:
            answer.set_result(message)

    def _fail_all(self, error: WireError) -> None:
        """Fail what is waited for: the daemon could not tell which message the error is about."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error)


def _refuse(kind: WSMsgType, data: object) -> None:
    """Raise InvalidAnswer for a frame that no daemon sends."""
    if kind is WSMsgType.BINARY:
        raise InvalidAnswer("a binary frame")
    if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
        if data.code == WSCloseCode.MESSAGE_TOO_BIG:
            raise InvalidAnswer(f"a message of more than {MAX_DAEMON_MESSAGE} bytes")
        raise InvalidAnswer(f"a broken frame: {data}")


def _invalid(name: str, error: InvalidAnswer) -> InvalidAnswer:
    return InvalidAnswer(error.sent, name)


async def _connect(
    target: Target, stack: contextlib.AsyncExitStack, ping_interval: float
) -> tuple[aiohttp.ClientSession, Socket]:
    connector: aiohttp.BaseConnector
    with contextlib.ExitStack() as addressed:
        if target.home is not None:
            connector = aiohttp.UnixConnector(addressed.enter_context(socket_address(target.home)))
        else:
            connector = aiohttp.TCPConnector()
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, trace_configs=[never_redirected()])
        )
        ws = await session.ws_connect(
            target.url,
            # It refuses what is as long as this, also before that is inflated.
            max_msg_size=MAX_DAEMON_MESSAGE + 1,
            heartbeat=ping_interval,
            compress=15,
            decode_text=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
    stack.push_async_callback(ws.close)
    return session, ws


def _auth(client_id: str, token: str | None, *, transient: bool) -> Message:
    auth: Message = {
        "type": "auth",
        "client_id": client_id,
        "protocol": PROTOCOL_VERSION,
        "text": "bytes",
    }
    if transient:
        auth["transient"] = True
    if token is not None:
        auth["token"] = token
    return auth


async def _authenticate(ws: Socket, auth: Message, name: str) -> Message:
    await ws.send_frame(encoded(auth, text_bytes=False), WSMsgType.TEXT)
    frame = await ws.receive()
    _refuse(frame.type, frame.data)
    if frame.type is not WSMsgType.TEXT:
        raise Unreachable(f"{name} {ending(ws.close_code or BROKEN, str(frame.extra or ''))}")
    message = read(frame.data)
    if message["type"] == "error":
        error = from_wire(message["code"], message["message"])
        # Whatever its code, a newer daemon's too: we are not admitted.
        raise error if isinstance(error, Refusal) else ClientRejected(f"{error.code}: {error}")
    if message["type"] != "status":
        raise InvalidAnswer(f"{printable(message['type'])}, where status was expected")
    # Before it has come nothing tells whether the daemon writes bytes in text fields.
    return read_fields(message) if FEATURE in message["features"] else message


def never_redirected() -> aiohttp.TraceConfig:
    """Return what makes a session refuse every redirect: our token is for the daemon that we call.

    aiohttp's ``ws_connect`` has no flag for that.
    """

    async def refuse(
        _session: object, _context: object, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        raise InvalidAnswer(redirected(params.response))

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def redirected(answer: aiohttp.ClientResponse) -> str:
    """Say what an answer is that leads elsewhere."""
    where = quoted(answer.headers.get("Location", "")[:_SHOWN])
    return f"a redirect ({answer.status}) to {where}, which is not followed"


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
    reason = (str(error) or type(error).__name__)[:_SHOWN]
    if isinstance(cause, socket.gaierror):
        reason = cause.strerror or reason
    elif isinstance(cause, OSError) and cause.errno:
        reason = os.strerror(cause.errno)  # asyncio has words of its own
    return Unreachable(f"{name} can't be reached: {printable(reason)}")
