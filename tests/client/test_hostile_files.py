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
from shellwire.errors import FilesRefused, InvalidAnswer, Unreachable

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


_ELSEWHERE = "what serves this address must pass on /files"


@pytest.mark.parametrize(
    "status",
    ["400 X", "403 X", "404 X", "405 X", "407 X", "410 X", "413 X", "429 X", "501 X", "505 X"],
)
async def test_a_lasting_refusal_is_not_retried(status: str) -> None:
    asked: list[bytes] = []
    async with _answering(_said(status, body="<p>no</p>"), asked) as url:
        with pytest.raises(FilesRefused, match=rf"with {status[:3]}: {_ELSEWHERE}"):
            await _upload(url, 60.0)
    assert len(asked) == 1


@pytest.mark.parametrize("scheme", ["ws", "wss"])  # forwarded, and refused at CONNECT
async def test_the_proxy_that_refuses_is_named(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    async with _answering(_said("501 X"), asked) as url:
        proxy = f"http://{url.split('/')[2]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)
        with pytest.raises(FilesRefused) as refused:
            await _upload(f"{scheme}://shell.example/ws", 60.0)
    assert str(refused.value) == (
        f"the proxy {proxy} answered a request for a file of {scheme}://shell.example/ws with 501;"
        " NO_PROXY lists hosts to connect to directly"
    )
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *((each, "") for each in ("408 X", "500 X", "502 X", "503 X", "504 X")),
        ("429 X", "Retry-After: 1\r\n"),
    ],
)
async def test_a_status_that_may_change_is_retried(status: str, headers: str) -> None:
    asked: list[bytes] = []
    async with _answering(_said(status, headers), asked) as url:
        with pytest.raises(Unreachable, match=f"with {status[:3]}$"):
            await _upload(url, 0.5)
    assert len(asked) > 1
