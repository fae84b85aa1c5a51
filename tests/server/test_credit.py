"""The window: neither sending nor reading from the process goes past credit plus window."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.observe import job_info
from tests.server.test_attach import NUMBERS, attached, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message


async def _read_exactly(client: Client, job: str, end: int) -> None:
    """Return when the daemon has read exactly ``end`` bytes from the job."""
    info: Message = {"end": -1}
    while info["end"] < end:
        info = await job_info(client, job)
    assert info["end"] == end


async def _credit(client: Client, job: str, end: int) -> None:
    assert (await client.ask({"type": "credit", "id": job, "end": end}))["type"] == "ack"


async def _take(client: Client, job: str, up_to: int) -> str:
    """Return the output up to an offset."""
    text, end = "", -1
    while end < up_to:
        message = (await client.until("output", "gap", id=job))[-1]
        end = message["end"]
        text += message["data"]
    assert end == up_to
    return text


@pytest.mark.parametrize("window", [1, 7, 1000, 70_000])
async def test_the_window_limits_sending_and_reading(client: Client, window: int) -> None:
    # More than five windows and the pipe hold, or the job would end too early.
    job = await client.start("seq 100000", window=window)
    text, credited = "", 0
    while len(text) < 3 * window:
        text += await _take(client, job, credited + window)
        await _read_exactly(client, job, credited + window)
        # The pong would overtake output, but none was unsent.
        assert client.aside == []
        credited += window
        await _credit(client, job, credited)
    text += await _take(client, job, credited + window)
    half = (window + 1) // 2
    await _credit(client, job, credited + half)
    text += await _take(client, job, credited + half + window)
    # Credit below an earlier one changes nothing.
    await _credit(client, job, 0)
    client.aside.clear()
    # Without a window, output that the socket takes counts as consumed.
    await attached(client, job, after=len(text))
    ran = await client.finish(job)
    assert ran.code == 0
    assert text + ran.out == "".join(f"{number}\n" for number in range(1, 100_001))


async def test_credit_begins_at_after(client: Client) -> None:
    await client.run("seq 20000", id="replayed")
    await attached(client, "replayed", after=100, window=50)
    assert await _take(client, "replayed", 150) == NUMBERS[100:150]
    # The terminal message waits behind output that needs credit.
    assert (await client.ask({"type": "ping"}))["type"] == "pong"
    assert client.aside == []
    await _credit(client, "replayed", len(NUMBERS))
    ran = await client.finish("replayed")
    assert ran.out == NUMBERS[150:]
    # Late credit for a job that is no longer followed is no error.
    await _credit(client, "replayed", len(NUMBERS))


async def test_credit_past_the_end_is_refused(client: Client) -> None:
    job = await client.start("echo 12345; read", open_stdin=True, window=3)
    await _take(client, job, 3)
    await _read_exactly(client, job, 3)
    error = await refused(client, {"type": "credit", "id": job, "end": 4})
    assert error["code"] == "INVALID_MESSAGE"
    assert error["message"] == "end: expected at most 3, the end of the job's output, got 4"
    await _credit(client, job, 3)
    assert await _take(client, job, 6) == "45\n"
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    await client.finish(job)


async def test_characters_larger_than_the_remaining_window(client: Client) -> None:
    job = await client.start("printf 'a€😀'; printf 'é😀' >&2", window=4)
    seen: dict[str, str] = {"stdout": "", "stderr": ""}
    while (message := (await client.until("output", "result", id=job))[-1])["type"] == "output":
        assert len(message["data"].encode()) <= 4
        seen[message["stream"]] += message["data"]
        await _credit(client, job, message["end"])
    assert seen == {"stdout": "a€😀", "stderr": "é😀"}


async def test_characters_of_two_streams_in_a_tiny_window(client: Client) -> None:
    # Both unfinished characters count in the window, until it has no room for the rest.
    job = await client.start(
        r"printf '\360\237\230'; printf '\360\237\230' >&2; sleep 0.1;"
        r" printf '\200' >&2; printf '\201'",
        window=4,
    )
    seen = ""
    while (message := (await client.until("output", "result", id=job))[-1])["type"] == "output":
        seen += message["data"]
        await _credit(client, job, message["end"])
    assert sorted(seen) == ["\U0001f600", "\U0001f601"]


async def test_the_window_is_at_most_the_buffer(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--buffer", "4096")
    client = await daemon.client("greedy")
    job = await client.start("seq 20000", window=1_000_000)
    text = await _take(client, job, 4096)
    await _read_exactly(client, job, 4096)
    # All output without credit is still in the buffer; the rest of the window follows.
    await attached(client, job, after=4, window=1_000_000)
    text = text[:4] + await _take(client, job, 4 + 4096)
    for _ in range(3):
        await _credit(client, job, len(text))
        text += await _take(client, job, len(text) + 4096)
    await attached(client, job, after=len(text))
    ran = await client.finish(job)
    assert text + ran.out == NUMBERS
    await client.close()


async def test_a_gap_needs_no_credit(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--buffer", "4096")
    client = await daemon.client()
    job = await client.start("read; seq 20000; read", open_stdin=True)
    await client.ask({"type": "detach", "id": job})
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    await _read_exactly(client, job, len(NUMBERS))
    await attached(client, job, window=10)
    gap = (await client.until("gap", id=job))[-1]
    assert (gap["from"], gap["to"]) == (0, len(NUMBERS) - 4096)
    assert await _take(client, job, gap["to"] + 10) == NUMBERS[gap["to"] : gap["to"] + 10]
    await client.send({"type": "kill_session", "id": job})
    await _credit(client, job, len(NUMBERS))
    await client.finish(job)
    await client.close()


async def test_shutdown_waits_for_credit(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0", "--max-clients", "2")
    client, deaf = await daemon.client(), await daemon.client()
    job = await client.start("seq 20000; read", open_stdin=True, window=100_000)
    text = await _take(client, job, 100_000)
    other = await deaf.start("seq 20000; read", open_stdin=True, window=100)
    await _take(deaf, other, 100)
    daemon.process.send_signal(signal.SIGTERM)
    await client.until("daemon_stopping")
    await client.send({"type": "credit", "id": job, "end": 100_000})
    ran = await client.finish(job)
    assert (text + ran.out, ran.last["reason"]) == (NUMBERS, "killed")
    assert (await client.closed())[0] == 1001
    # The other client sends no credit, and is closed in time nevertheless.
    assert (await deaf.closed())[0] in (1001, 1006)
    assert daemon.process.wait(PATIENCE) == 0
