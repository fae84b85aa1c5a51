"""HTTP requests to ``/files`` of a daemon, and when to retry them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, urlsplit

import aiohttp
from yarl import URL

from shellwire.client.connect_errors import connect_error, describe_redirect, file_status_error
from shellwire.client.files.paths import name_absolutely
from shellwire.client.proxy import find_proxy
from shellwire.errors import (
    DaemonStopping,
    FilesRefused,
    InvalidAnswer,
    NotFound,
    NotRunning,
    QueueFull,
    Unreachable,
    from_wire,
)
from shellwire.home.socket import socket_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from shellwire.client.endpoint import Endpoint, Target
    from shellwire.client.reconnect_notice import Outage
    from shellwire.errors import ShellwireError

TRANSIENT_ERRORS = (Unreachable, NotRunning, DaemonStopping, QueueFull)
"""Errors after which a retry may succeed."""

STALLED_SECONDS = 60.0
"""Seconds without a byte after which a connection counts as dead."""

FINISH_SECONDS = 600.0
"""Seconds that a daemon may take to answer a complete request: it may flush or hash much data."""

_BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)
"""Errors of an open connection that breaks; one subclass means that it could not be opened."""

_LONGEST_MESSAGE = 4096
_MAX_ERROR_BODY = 64 * 1024
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0
_SAFE = "/~!$&'()*,;=:@-._"


class Retries:
    """The retry schedule of one transfer that resumes after errors."""

    def __init__(self, patience: float, outage: Outage) -> None:
        self._patience = patience
        self._outage = outage
        self.progressed()

    def progressed(self) -> None:
        """Note progress: the time limit starts anew."""
        self._deadline = time.monotonic() + self._patience
        self._longest = _FIRST_DELAY

    async def wait_or_raise(self, why: ShellwireError) -> None:
        """Wait before the next attempt. Raises ``why`` when the time limit is over."""
        left = self._deadline - time.monotonic()
        if left <= 0 or isinstance(why, InvalidAnswer | FilesRefused):
            raise why
        if not isinstance(why, QueueFull):  # an answer: the daemon is reachable
            self._outage.begins(str(why))
        await asyncio.sleep(min(random.uniform(0, self._longest), left))
        self._longest = min(2 * self._longest, _LONGEST_DELAY)


class HttpClient:
    """Sends HTTP requests to one daemon, over connections that are reused."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str | None,
        patience: float,
        outage: Outage,
        label: str = "",
    ) -> None:
        self.patience = patience
        self.label = label
        """Put before remote paths in errors."""
        self._endpoint = endpoint
        self._client_id = client_id
        self._outage = outage
        self._session: aiohttp.ClientSession | None = None
        self._open = contextlib.ExitStack()

    @property
    def name(self) -> str:
        """The daemon's name in errors."""
        return self._endpoint.name

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._open.close()

    def retries(self) -> Retries:
        """Return a retry schedule for one transfer."""
        return Retries(self.patience, self._outage)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        data: Any = None,
    ) -> aiohttp.ClientResponse:
        """Send a request for an absolute path; return the answer, which the caller releases.

        Raises the daemon's error, except for a 409 that has an offset, and Unreachable or
        NotRunning.
        """
        target = self._endpoint.target()
        sent = {"Accept-Encoding": "identity", **headers}
        if target.token is not None:
            sent["Authorization"] = f"Bearer {target.token}"
        if self._client_id is not None:
            sent["Shellwire-Client"] = self._client_id
        by = ""
        try:
            proxy = None if target.is_local else find_proxy(target.url)
            by = "" if proxy is None else proxy.name
            answer = await self._session_for(target).request(
                method,
                URL(
                    _base(target) + quote_from_bytes(os.fsencode(path), safe=_SAFE) + query,
                    encoded=True,
                ),
                headers=sent,
                data=data,
                allow_redirects=False,
                proxy=None if proxy is None else proxy.url,
            )
        except aiohttp.ClientHttpProxyError as error:  # the answer to CONNECT
            retry_after = error.headers.get("Retry-After") if error.headers else None
            raise file_status_error(error.status, retry_after, self.name, by) from None
        except (OSError, aiohttp.ClientError, ValueError) as error:
            if isinstance(error, _BROKEN) and not isinstance(error, aiohttp.ClientConnectorError):
                raise Unreachable(f"{self._endpoint.name} broke off the connection") from None
            raise connect_error(error, target, self._endpoint.name) from None
        self._outage.ends()
        if answer.status < 300 or "Upload-Offset" in answer.headers:
            return answer
        if answer.status < 400:
            answer.close()
            raise InvalidAnswer(
                describe_redirect(answer.status, answer.headers.get("Location", "")),
                self._endpoint.name,
            )
        if method == "HEAD":
            answer.release()
            # An answer to HEAD has no body with the error (RFC 9110, 9.3.2): ask again with GET.
            answer = await self.ask("GET", path, {"Range": "bytes=0-0"})
            answer.close()
            raise Unreachable(f"{self._endpoint.name} answered HEAD and GET of {path} differently")
        raise await self._error_of(answer, path, by)

    async def pieces(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Yield the content of an answer. Raises Unreachable if it breaks off."""
        while True:
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    piece = await answer.content.readany()
            except (OSError, aiohttp.ClientError, ValueError):
                raise Unreachable(f"{self._endpoint.name} broke off the connection") from None
            if not piece:
                return
            yield piece

    def stalled(self) -> Unreachable:
        """Return the error for a connection over which nothing arrives."""
        return Unreachable(f"{self._endpoint.name} made no progress for {STALLED_SECONDS:g} s")

    def _session_for(self, target: Target) -> aiohttp.ClientSession:
        if self._session is None:
            connector: aiohttp.BaseConnector
            if target.home is not None:
                path = self._open.enter_context(socket_address(target.home))
                connector = aiohttp.UnixConnector(path)
            else:
                connector = aiohttp.TCPConnector()
            self._session = aiohttp.ClientSession(
                connector=connector,
                # Transfers may take any time; only connecting is limited.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            )
        return self._session

    async def _error_of(
        self, answer: aiohttp.ClientResponse, path: str, proxy: str
    ) -> ShellwireError:
        name = self._endpoint.name
        try:
            body = await answer.content.read(_MAX_ERROR_BODY)
            if answer.status == 404 and not body:
                return NotFound(f"{self.label}{path}: there is no such file or directory")
            said = json.loads(body)
            message = name_absolutely(str(said["message"]), path, self.label)
            return from_wire(str(said["code"]), message[:_LONGEST_MESSAGE])
        except (OSError, aiohttp.ClientError):
            return Unreachable(f"{name} broke off the connection")
        except (ValueError, TypeError, KeyError, RecursionError):
            if answer.status < 500 and answer.content_type == "application/json":
                return InvalidAnswer(f"a {answer.status} without a usable error", name)
            retry_after = answer.headers.get("Retry-After")
            return file_status_error(answer.status, retry_after, name, proxy)
        finally:
            answer.release()


def _base(target: Target) -> str:
    parts = urlsplit(target.url)
    scheme = "https" if parts.scheme == "wss" else "http"
    prefix = parts.path.removesuffix("/ws").rstrip("/")
    return f"{scheme}://{parts.netloc}{prefix}/files"
