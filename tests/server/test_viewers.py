"""Several viewers of one job: input from each, one size, and a frozen viewer delays nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.live import PATIENCE
from tests.server.observe import job_info, memory
from tests.server.raw import Raw
from tests.server.test_attach import attached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.live import Client, Daemon

MIB = 1024 * 1024

LINE = "0123456\n"
FLOOD = f"yes {LINE.strip()}"


@pytest.fixture
async def other(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a second client."""
    client = await daemon.client()
    yield client
    await client.close()


class Check:
    """Checks the output of FLOOD: every byte once and in order, or in a gap."""

    def __init__(self) -> None:
        self.end = 0
        self.gaps = 0

    async def read(self, raw: Raw, up_to: int) -> None:
        while self.end < up_to:
            message = await raw.until("output", "gap")
            if message["type"] == "gap":
                assert message["from"] == self.end < message["to"]
                self.end = message["to"]
                self.gaps += 1
                continue
            data = message["data"]
            at = self.end % len(LINE)
            assert data == (LINE * (len(data) // len(LINE) + 2))[at : at + len(data)]
            self.end += len(data)
            assert message["end"] == self.end


async def test_input_from_each(client: Client, other: Client) -> None:
    session = await client.session(command="cat", use_pty=True)
    await attached(other, session)
    for sender, text in ((client, "a"), (other, "b"), (client, "c")):
        await sender.send({"type": "send_input", "id": session, "data": f"{text}\n"})
        for each in (client, other):
            await each.output_until(session, f"{text}\r\n{text}\r\n")
    await other.send({"type": "kill_session", "id": session})
    for each in (client, other):
        assert (await each.until("session_ended", id=session))[-1]["reason"] == "killed"


async def test_the_last_resize_holds(client: Client, other: Client) -> None:
    session = await client.session(
        command="echo ready; while read; do stty size; done",
        use_pty=True,
        cols=100,
        rows=30,
    )
    await client.output_until(session, "ready")
    assert (await attached(other, session)).items() >= {"cols": 100, "rows": 30}.items()
    for sender, cols in ((other, 120), (client, 90), (other, 110)):
        answer = await sender.ask({"type": "resize", "id": session, "cols": cols, "rows": 40})
        assert answer["type"] == "ack"
        await client.send({"type": "send_input", "id": session, "data": "\n"})
        for each in (client, other):
            await each.output_until(session, f"40 {cols}\r\n")
        assert (await job_info(client, session)).items() >= {"cols": cols, "rows": 40}.items()
    # Attaching and detaching do not change the size.
    await other.ask({"type": "detach", "id": session})
    assert (await attached(other, session)).items() >= {"cols": 110, "rows": 40}.items()
    await client.send({"type": "kill_session", "id": session})
    await client.until("session_ended", id=session)


async def test_a_viewer_that_does_not_read(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--buffer", str(2 * MIB), "--max-clients", "3")
    reader, frozen = await Raw.client(daemon, "reads"), await Raw.client(daemon, "frozen")
    reader.send({"type": "execute", "id": "1", "command": FLOOD, "max_output_bytes": 0})
    fast, slow = Check(), Check()
    await fast.read(reader, MIB)
    frozen.send({"type": "attach", "id": "1"})
    await frozen.until("attached")
    frozen.stop_reading()
    # Both are served as long as the sockets' buffers take the output.
    await fast.read(reader, 20 * MIB)
    before = memory(daemon)
    await fast.read(reader, 100 * MIB)
    assert memory(daemon) - before < 4 * MIB
    assert fast.gaps == 0
    # When the reading viewer stops, the job stops: the frozen one does not keep it running.
    reader.stop_reading()
    observer = await daemon.client()
    end = -1
    async with asyncio.timeout(PATIENCE):
        while end != (end := (await job_info(observer, "1"))["end"]):
            await observer.run("sleep 0.2")
    frozen.read_again()
    await slow.read(frozen, end)
    # Now the frozen viewer is the fastest.
    await slow.read(frozen, end + 4 * MIB)
    assert slow.gaps >= 1
    reader.read_again()
    await fast.read(reader, slow.end)
    await observer.ask({"type": "kill_session", "id": "1"})
    for each in (reader, frozen):
        assert (await each.until("result"))["reason"] == "killed"
    await observer.close()


async def test_a_viewer_with_credit_and_one_without(daemon: Daemon) -> None:
    reader, limited = await Raw.client(daemon, "reads"), await Raw.client(daemon, "limited")
    limited.send({"type": "execute", "id": "credit", "command": FLOOD, "window": 1000})
    checked, other = Check(), Check()
    await checked.read(limited, 1000)
    reader.send({"type": "attach", "id": "credit"})
    await other.read(reader, 8 * MIB)
    assert other.gaps == 0
    # It got no more than its window; the gap is sent when it gives credit.
    limited.send({"type": "credit", "id": "credit", "end": 999})
    assert (await limited.receive())["type"] == "gap"
    limited.send({"type": "ping"})
    assert (await limited.receive())["type"] == "pong"
    limited.send({"type": "credit", "id": "credit", "end": 1000})
    message = await limited.until("output")  # perhaps after another gap
    assert len(message["data"]) == 1000
    limited.send({"type": "ping"})
    assert (await limited.receive())["type"] == "pong"
    limited.send({"type": "kill_session", "id": "credit"})
    await reader.until("result")


async def test_the_last_reader_leaves_a_frozen_one(daemon: Daemon) -> None:
    reader, frozen = await Raw.client(daemon, "leaves"), await Raw.client(daemon, "frozen")
    reader.send({"type": "execute", "id": "left", "command": FLOOD, "max_output_bytes": 0})
    checked = Check()
    await checked.read(reader, MIB)
    frozen.send({"type": "attach", "id": "left", "window": 100})
    await frozen.until("attached")
    await reader.close()
    # The job waits for the remaining viewer, and once that has left for none.
    observer = await daemon.client()
    end = -1
    async with asyncio.timeout(PATIENCE):
        while end != (end := (await job_info(observer, "left"))["end"]):
            await observer.run("sleep 0.2")
        frozen.reset()
        while (await job_info(observer, "left"))["end"] < end + 16 * MIB:
            pass
    await observer.ask({"type": "kill_session", "id": "left"})
    await observer.close()


async def test_unread_output_of_ended_jobs_is_limited(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "2", "--retain", "0.1")
    runner = await daemon.client()
    frozen = await Raw.client(daemon, "frozen")
    before = memory(daemon)
    for number in range(20):
        job = await runner.start("head -c 4194304 /dev/zero; read", open_stdin=True, collect=True)
        frozen.send({"type": "attach", "id": job, "window": 1, "request_id": f"{number}"})
        answer = await frozen.until("attached", "error", request_id=f"{number}")
        await runner.send({"type": "send_input", "id": job, "data": "\n"})
        await runner.finish(job)
        if answer["type"] == "error":
            break
    assert answer["code"] == "QUEUE_FULL"
    assert 4 <= number <= 6
    assert memory(daemon) - before < 48 * MIB
    await runner.close()
