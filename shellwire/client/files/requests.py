"""What every call about files is made of: ``fs_*`` messages, HTTP requests, absolute paths."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Any

from shellwire.client.files.paths import absolute, from_wire, name_absolutely
from shellwire.errors import FileProblem, InvalidAnswer, NotFound, ShellwireError
from shellwire.protocol.answers import read_result

if TYPE_CHECKING:
    from shellwire.client.connection import Connection
    from shellwire.client.endpoint import Endpoint
    from shellwire.client.files.http_client import HttpClient
    from shellwire.client.files.paths import StrPath
    from shellwire.client.reconnect_notice import Outage
    from shellwire.client.results import Message


class FileRequests:
    """File requests to one daemon: small ones as messages, large ones over HTTP."""

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        client_id: str | None,
        patience: float,
        outage: Outage,
        label: str = "",
    ) -> None:
        """``client_id`` is that of HTTP requests, if they have one."""
        self.connection = connection
        self.label = label
        """Put before remote paths in errors."""
        self._endpoint = endpoint
        self._client_id = client_id
        self._patience = patience
        self._outage = outage
        self._http: HttpClient | None = None
        self._home: str | None = None

    @property
    def http(self) -> HttpClient:
        """The HTTP client, made on first use: aiohttp takes longer to import than a command."""
        if self._http is None:
            from shellwire.client.files.http_client import HttpClient

            self._http = HttpClient(
                self._endpoint, self._client_id, self._patience, self._outage, self.label
            )
        return self._http

    async def close(self) -> None:
        """Close the HTTP connections."""
        if self._http is not None:
            await self._http.close()

    async def resolve(self, path: StrPath) -> str:
        """Return the absolute path on the daemon's machine; ``~`` is its user's home directory."""
        path = os.fspath(path)
        if self._home is None and not path.startswith("/"):
            self._home = from_wire((await self.ask("root_info", root="~"))["root"])
        return absolute(path, self._home or "/")

    async def ask(self, operation: str, *, repeatable: bool = True, **fields: Any) -> Message:
        """Send ``fs_OPERATION`` and return its result. A cancelled search ends at the daemon too.

        After a cut a ``repeatable`` message is sent again; otherwise Disconnected is raised.
        """
        message = {"type": f"fs_{operation}", "id": secrets.token_hex(6), **fields}
        try:
            answer = await self.connection.ask(message, repeatable=repeatable)
        except asyncio.CancelledError:
            if operation == "search":
                cancel = {"type": "cancel_command", "id": message["id"]}
                self.connection.spawn(self.connection.send_if_connected(cancel))
            raise
        except (FileProblem, NotFound) as error:
            path = from_wire(str(fields.get("path", fields.get("root", ""))))
            raise type(error)(name_absolutely(str(error), path, self.label)) from None
        try:
            return read_result(message["type"], answer["result"])
        except InvalidAnswer as error:
            raise InvalidAnswer(error.sent, self._endpoint.name) from None

    async def send(
        self, method: str, path: str, headers: dict[str, str], query: str, data: bytes | None = None
    ) -> None:
        """Send an HTTP request that may arrive twice; repeat it after transient errors."""
        from shellwire.client.files.http_client import TRANSIENT_ERRORS

        retries = self.http.retries()
        while True:
            try:
                answer = await self.http.ask(method, path, headers, query=query, data=data)
            except TRANSIENT_ERRORS as why:
                await retries.wait_or_raise(why)
            else:
                answer.release()
                return

    async def has_hash(self, path: str, hashed: str) -> bool:
        """Tell whether the file at an absolute path has this SHA-256; False if it can't be read."""
        from shellwire.client.files.download import fetch_metadata

        try:
            return (await fetch_metadata(self.http, path)).hash == hashed
        except ShellwireError:
            return False
