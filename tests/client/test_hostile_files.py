"""Invalid HTTP answers to file requests: one error, and no endless retries."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING

import pytest

from shellwire.client.endpoint import Endpoint
from shellwire.client.files.content import LocalContent
from shellwire.client.files.http_client import HttpClient
from shellwire.client.files.upload import Upload
from shellwire.client.files.upload_options import UploadOptions
from shellwire.client.reconnect_notice import Outage
from shellwire.errors import InvalidAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def _answering(answer: str, asked: list[bytes]) -> AsyncIterator[str]:
    """Yield the URL of a server that gives the same answer to every request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer.encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


def _said(status: str, headers: str = "", body: str = "") -> str:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{headers}"
    return f"{head}\r\n{body}"


_JSON = "Content-Type: application/json\r\n"


async def _upload(url: str, patience: float) -> None:
    web = HttpClient(Endpoint(url=url, token="t"), None, patience, Outage())
    try:
        await Upload(
            web, LocalContent(io.BytesIO(b"hello"), "here"), "/x", UploadOptions(), None
        ).run()
    finally:
        await web.close()


@pytest.mark.parametrize(
    "answer",
    [
        *(
            _said("409 Conflict", f"Upload-Offset: {each}\r\n")
            for each in ("x", "-5", "6", "9" * 99)
        ),
        *(_said("404 Not Found", _JSON, each) for each in ("null", "[1]", "{}", "{", "[" * 9999)),
    ],
)
async def test_invalid_answers_are_not_retried(answer: str) -> None:
    asked: list[bytes] = []
    async with _answering(answer, asked) as url:
        with pytest.raises(InvalidAnswer):
            await _upload(url, 60.0)
    assert len(asked) == 1


async def test_an_upload_without_progress_is_given_up() -> None:
    asked: list[bytes] = []
    async with _answering(_said("409 Conflict", "Upload-Offset: 0\r\n"), asked) as url:
        with pytest.raises(Unreachable, match="accepts no data for /x"):
            await _upload(url, 0.5)
    assert 4 <= len(asked) < 60
