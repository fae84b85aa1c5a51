"""Bytes in text fields, and values that can't be sent: they fail at once."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.client import Client
from shellwire.client.endpoint import Endpoint
from shellwire.client.files.http_client import HttpClient
from shellwire.client.reconnect_notice import Outage
from shellwire.client.sync import Client as Blocking
from shellwire.errors import InvalidAnswer, InvalidMessage, WireError
from tests.client.hostile import STATUS, HostileServer, message_frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon

BYTES = b"\xff caf\xe9 \xee\xbe\x80 \xc3\xa9 \xf0\x9f\xa6\x80 \x80"
TEXT = BYTES.decode("utf-8", "surrogateescape")


async def test_bytes_of_every_kind_arrive(c: Client, tmp_path: Path) -> None:
    assert (await c.run(f"printf %s '{TEXT}'")).stdout_bytes == BYTES
    assert (await c.run('printf %s "$A"', env={"A": TEXT})).stdout_bytes == BYTES
    assert (await c.run("cat", input=TEXT)).stdout_bytes == BYTES
    longer = TEXT * 50_000  # too long for the command's message
    assert (await c.run("cat", input=longer)).stdout_bytes == BYTES * 50_000
    place = f"{tmp_path}/{TEXT}"
    os.mkdir(place)
    assert (await c.run("pwd", cwd=place)).stdout_bytes == os.fsencode(place) + b"\n"
    context = c.context(TEXT)
    assert (await context.set(cwd=place, env={"A": TEXT})).env["A"] == TEXT
    result = await context.run(f"cd '{place}'; B='{TEXT}'; export B")
    assert result.cwd == place
    state = await context.get()
    assert (state.name, state.cwd, state.env["B"]) == (TEXT, place, TEXT)
    assert TEXT in (await c.jobs())[-1].command
    async with c.shell(f"printf %s '{TEXT}'; read", pty=False) as job:
        first = await job.next_chunk()
        assert first is not None
        assert first.bytes == BYTES
        await job.write("\udcff\n")


@pytest.mark.parametrize("text", ["\ud800", "\ud83d\ude00"], ids=["half", "pair"])
async def test_unpaired_surrogates_are_refused(c: Client, text: str) -> None:
    for options in ({"input": text}, {"env": {"A": text}}, {"cwd": text}, {"context": text}):
        with pytest.raises(InvalidMessage):
            await c.run("true", **options)
    with pytest.raises(InvalidMessage, match="command"):
        await c.run(text)
    async with c.stream("cat", open_stdin=True) as job:
        with pytest.raises(InvalidMessage):
            await job.write(text)
    assert (await c.run("echo on")).stdout == "on\n"


async def test_ids_must_be_text(c: Client) -> None:
    job_id = "\udcff"
    for work in (c.kill(job_id), c.read_output(job_id), c.attach(job_id).begin()):
        with pytest.raises(InvalidMessage, match="id"):
            await work
    with pytest.raises(InvalidMessage, match="until"):
        await c.read_output("x", until="\udcff")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_non_finite_numbers_are_refused(c: Client, number: float) -> None:
    with pytest.raises(InvalidMessage):
        await c.run("true", timeout=number)


async def test_values_without_json_are_refused(c: Client) -> None:
    wrong: Any = b"true"
    with pytest.raises(TypeError):
        await c.run(wrong)
    assert (await c.run("echo on")).stdout == "on\n"


def test_the_blocking_client(daemon: Daemon) -> None:
    with Blocking(daemon.url, token=daemon.token) as c:
        assert c.run("printf %s '\udcff'").stdout_bytes == b"\xff"
        with pytest.raises(InvalidMessage):
            c.run("\ud800")


async def test_a_daemon_without_text_bytes(c: Client) -> None:
    def answers(heard: dict[str, Any]) -> bytes:
        private.append(heard["command"])
        result = {
            "type": "result",
            "id": heard["id"],
            "exit_code": 0,
            "duration_ms": 1.0,
            "error": None,
            "reason": "exited",
            "signal": None,
            "cwd": None,
            "committed": True,
            "bytes": {"stdout": 0, "stderr": 0},
        }
        return message_frame(result)

    private: list[str] = []
    old = HostileServer(answers, status=message_frame(STATUS | {"features": ["attach"]}))
    async with old.serve(), Client(old.url, token="0") as client:
        with pytest.raises(InvalidMessage, match=r"command: '.*\\xff.*' is not UTF-8.*too old"):
            await client.run("printf \udcff")
        with pytest.raises(InvalidMessage, match=r"cwd: .*too old"):
            await client.run("true", cwd="\udcff")
        assert (await client.run("printf \uefff")).exit_code == 0
    assert private == ["printf \uefff"]
    assert old.heard[0]["text"] == "bytes"


async def test_an_error_without_an_id_fails_all_requests() -> None:
    error = message_frame(
        {"type": "error", "id": None, "code": "INVALID_JSON", "message": "no JSON"}
    )
    server = HostileServer(lambda _: error)
    async with server.serve(), Client(server.url, token="0") as client:
        with pytest.raises(WireError, match="no JSON"):
            await client.run("true")
        with pytest.raises(WireError, match="no JSON"):
            await client.context().get()


async def test_no_reconnect_after_an_invalid_message(c: Client) -> None:
    server = HostileServer(lambda _: message_frame([1]))
    async with server.serve(), Client(server.url, token="0") as client:
        for _ in range(2):
            with pytest.raises(InvalidAnswer, match="is no shellwire"):
                await client.context().get()
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_file_redirects_are_not_followed(status: int) -> None:
    heads: list[bytes] = []

    def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(answer(reader, writer)))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        there = f"http://127.0.0.1:{port}/files/elsewhere"
        writer.write(
            f"HTTP/1.1 {status} X\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    tasks: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(answered, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        heads.clear()
        web = HttpClient(
            Endpoint(url=f"ws://127.0.0.1:{port}/ws", token="secret"), None, 5, Outage()
        )
        with pytest.raises(InvalidAnswer, match=rf"a redirect \({status}\) to .*not followed"):
            await web.ask(method, "/file", {})
        await web.close()
        assert len(heads) == 1
        await asyncio.gather(*tasks)
    server.close()
