"""``read_output``: one page per request, when there is output or the wait is over."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest

from shellwire.server.writer import MAX_PENDING_READS
from tests.server.observe import COUNTING, health_is, memory
from tests.server.raw import Raw
from tests.server.test_attach import NUMBERS, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

LONG = 20_000


async def read(client: Client, job: str, **fields: object) -> Message:
    """Request a page and return it; it must not be an error."""
    page = await client.ask({"type": "read_output", "id": job, **fields})
    assert (page["type"], page["id"]) == ("output_page", job), page
    return page


def text(page: Message, stream: str | None = None) -> str:
    """Return the text of a page, of one stream or of both."""
    return "".join(each["data"] for each in page["chunks"] if stream in (None, each["stream"]))


async def _detached(client: Client, command: str, **fields: object) -> str:
    """Start a command and detach from it, so that its output is sent only in pages."""
    job = await client.start(command, open_stdin=True, **fields)
    assert (await client.ask({"type": "detach", "id": job}))["type"] == "ack"
    client.aside.clear()
    return job


async def _go_on(client: Client, job: str) -> None:
    await client.send({"type": "send_input", "id": job, "data": "\n"})


async def test_a_page(client: Client) -> None:
    await client.run("echo out; sleep 0.1; echo err >&2; exit 3", id="page")
    assert {**await read(client, "page"), "request_id": ""} == {
        "type": "output_page",
        "id": "page",
        "chunks": [
            {"stream": "stdout", "data": "out\n", "end": 4},
            {"stream": "stderr", "data": "err\n", "end": 8},
        ],
        "end": 8,
        "state": "ended",
        "gap": None,
        "exit_code": 3,
        "request_id": "",
    }
    page = await read(client, "page", after=5, encoding="base64")
    assert [base64.b64decode(each["data"]) for each in page["chunks"]] == [b"rr\n"]
    assert (await read(client, "page", after=8, wait_ms=LONG))["chunks"] == []


@pytest.mark.parametrize("size", [1, 2, 4096, 65_536, 10**9])
async def test_page_by_page(client: Client, size: int) -> None:
    count = 20_000 if size > 2 else 100
    await client.run(f"seq {count}; printf '€😀'", id=f"pages-{size}")
    seen, page = "", await read(client, f"pages-{size}", max_bytes=size)
    while page["exit_code"] is None:
        seen += text(page)
        assert sum(len(each["data"].encode()) for each in page["chunks"]) <= max(size, 4)
        page = await read(client, f"pages-{size}", max_bytes=size, after=page["end"])
    assert seen + text(page) == "".join(f"{n}\n" for n in range(1, count + 1)) + "€😀"


async def test_waits_for_bytes_or_the_end(client: Client) -> None:
    job = await _detached(client, "read; echo first; read; exit 5")
    page = await read(client, job)
    assert (page["chunks"], page["end"], page["state"]) == ([], 0, "running")
    assert page["exit_code"] is None
    assert (await read(client, job, wait_ms=50))["chunks"] == []
    waiting = asyncio.create_task(read(client, job, wait_ms=LONG))
    await asyncio.sleep(0)  # let its request be sent first
    await _go_on(client, job)
    page = await waiting
    assert (text(page), page["end"], page["exit_code"]) == ("first\n", 6, None)
    waiting = asyncio.create_task(read(client, job, after=6, wait_ms=LONG))
    await asyncio.sleep(0)
    await _go_on(client, job)
    page = await waiting
    assert (page["chunks"], page["end"], page["exit_code"]) == ([], 6, 5)
    assert page["state"] in ("background", "ended")


async def test_until_a_text_comes(client: Client) -> None:
    command = "printf 'a REA'; read; printf 'DY b'; read; printf ' READY'; read"
    job = await _detached(client, command)
    assert (await read(client, job, until="REA", wait_ms=LONG))["matched"]
    # A possible beginning of the text is kept for the page that contains all of it.
    page = await read(client, job, until="READY", wait_ms=1)
    assert (text(page), page["end"], page["matched"]) == ("a ", 2, False)
    waiting = asyncio.create_task(read(client, job, after=2, until="READY", wait_ms=LONG))
    await asyncio.sleep(0)
    await _go_on(client, job)
    page = await waiting
    assert (text(page), page["end"], page["matched"]) == ("READY", 7, True)
    page = await read(client, job, after=7, until=" b", wait_ms=LONG)
    assert (text(page), page["matched"]) == (" b", True)
    waiting = asyncio.create_task(read(client, job, after=9, until="never", wait_ms=LONG))
    await asyncio.sleep(0)
    await _go_on(client, job)
    await _go_on(client, job)
    page = await waiting
    assert (text(page), page["matched"], page["exit_code"]) == (" READY", False, 0)


async def test_until_looks_into_each_stream(client: Client) -> None:
    command = "printf 'RE'; read; printf 'AD' >&2; read; printf 'ADY'; printf 'Y' >&2; read"
    job = await _detached(client, command)
    assert (await read(client, job, until="RE", wait_ms=LONG))["end"] == 2
    await _go_on(client, job)
    assert (await read(client, job, after=2, until="AD", wait_ms=LONG))["end"] == 4
    waiting = asyncio.create_task(read(client, job, until="READY", wait_ms=LONG))
    await asyncio.sleep(0)
    await _go_on(client, job)
    page = await waiting
    assert (text(page, "stdout"), page["matched"]) == ("READY", True)
    await client.send({"type": "kill_session", "id": job})


async def test_until_is_found_however_pages_are_cut(client: Client) -> None:
    await client.run("printf '%s' aababababac{1..50} END", id="cut")
    whole = text(await read(client, "cut"))
    assert whole.endswith("c50END")
    for size in range(7, 20):
        seen, end, matched = "", 0, False
        while not matched:
            page = await read(client, "cut", after=end, until="ababac5", max_bytes=size)
            seen, end, matched = seen + text(page), page["end"], page["matched"]
            assert page["chunks"]
        assert seen == whole[: whole.index("ababac5") + 7]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"until": "abc", "max_bytes": 2}, "until: expected at most max_bytes (2) bytes"),
        ({"until": ""}, "until: expected a string of length >= 1"),
        ({"until": "x" * 4097}, "until: expected a string of length <= 4096"),
        ({"max_bytes": 0}, "max_bytes: expected an integer >= 1"),
        ({"wait_ms": -1}, "wait_ms: expected an integer >= 0"),
    ],
)
async def test_invalid_requests(client: Client, fields: dict[str, object], problem: str) -> None:
    await client.run(":", id="asked")
    error = await refused(client, {"type": "read_output", "id": "asked", **fields})
    assert (error["code"], error["message"]) == ("INVALID_MESSAGE", problem)


async def test_a_gap_in_a_page(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--buffer", "4096").client()
    job = await _detached(client, "read; seq 20000; read")
    await _go_on(client, job)
    size = len(NUMBERS)
    page = await read(client, job, until="\n20000\n", wait_ms=LONG, max_bytes=10**6)
    while not page["matched"]:
        page = await read(
            client, job, until="\n20000\n", wait_ms=LONG, max_bytes=10**6, after=page["end"]
        )
    page = await read(client, job, after=7)
    assert page["gap"] == {"from": 7, "to": size - 4096}
    assert (text(page), page["end"]) == (NUMBERS[-4096:], size)
    await client.send({"type": "kill_session", "id": job})
    await client.close()


async def test_many_read_outputs_wait(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(COUNTING)
    client = await daemon.client()
    job = await _detached(client, "read; printf 1; read; seq 1000; read")
    for number in range(MAX_PENDING_READS):
        until = {"until": "999\n"} if number % 2 else {}
        await client.send(
            {
                "type": "read_output",
                "id": job,
                "wait_ms": 100_000,
                "request_id": f"{number}",
                **until,
            }
        )
    error = await refused(client, {"type": "read_output", "id": job, "wait_ms": 1})
    assert error["code"] == "QUEUE_FULL"
    await _go_on(client, job)
    pages = [(await client.until("output_page"))[-1] for _ in range(MAX_PENDING_READS // 2)]
    assert {text(page) for page in pages} == {"1"}
    await _go_on(client, job)
    found = [(await client.until("output_page"))[-1] for _ in range(MAX_PENDING_READS // 2)]
    assert all(page["matched"] and text(page).endswith("998\n999\n") for page in found)
    assert len({page["request_id"] for page in pages + found}) == MAX_PENDING_READS
    # Requests of a client that has left are dropped.
    for _ in range(10):
        await client.send({"type": "read_output", "id": job, "after": 3894, "wait_ms": 100_000})
    await health_is(daemon, {"Viewer": 10, "PageReply": 10})
    client.ws.transport.abort()
    await health_is(daemon, {"Viewer": 0, "PageReply": 0})


@pytest.mark.long
async def test_unsent_pages_use_no_memory(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "2")
    other = await daemon.client()
    raw = await Raw.client(daemon, "asks much")
    raw.send({"type": "execute", "id": "much", "command": "seq 500000", "collect": True})
    await raw.until("result")
    before = memory(daemon)
    raw.stop_reading()
    for _ in range(400):
        raw.send({"type": "read_output", "id": "much", "max_bytes": 10**6})
    for _ in range(50):
        assert (await other.run("echo meanwhile")).out == "meanwhile\n"
    # 400 pages would be 400 MB.
    assert memory(daemon) - before < 32 * 1024 * 1024
    raw.read_again()
    for _ in range(400):
        assert sum(len(each["data"]) for each in (await raw.until("output_page"))["chunks"]) > 10**5
    await other.close()
