"""The fair writer: control first, jobs round robin, bounded memory for a slow reader."""

from __future__ import annotations

import asyncio
import base64
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire.jobs.output import WINDOW
from shellwire.server.sources import SLICE
from tests.live import PATIENCE
from tests.server.observe import memory, wait_no_client_connected, window_is_full
from tests.server.raw import Raw, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

MIB = 1024 * 1024

# A request is about as long as its answer, so that few requests fill all buffers.
LONG_IDS = {"id": "\N{SNOWMAN}" * 128, "request_id": "\N{SNOWMAN}" * 128}


async def _flooded(daemon: Daemon, client_id: str, *jobs: str) -> Raw:
    """Return a client that did not read while each of its jobs filled a window."""
    raw = await Raw.client(daemon, client_id)
    raw.stop_reading()
    for job in jobs:
        raw.send({"type": "execute", "id": job, "command": f"yes {job}"})
    observer = await daemon.client()
    for job in jobs:
        await window_is_full(observer, job)
    await observer.close()
    return raw


async def _end(raw: Raw, *jobs: str) -> None:
    for job in jobs:
        raw.send({"type": "kill_session", "id": job})
        await raw.until("result", id=job)


async def test_control_overtakes_output(daemon: Daemon) -> None:
    raw = await _flooded(daemon, "control", "c1", "c2")
    raw.send({"type": "ping"})
    raw.send({"type": "execute", "id": "c3", "command": "echo third"})
    raw.read_again()
    before = 0
    message = await raw.receive()
    while message["type"] != "pong":
        before += len(message["data"])
        message = await raw.receive()
    # After data already in the kernel, before 2 MiB of unsent output and all later output.
    assert before < MIB
    assert (await raw.until("output", id="c3"))["data"] == "third\n"
    await _end(raw, "c1", "c2")


async def test_jobs_take_turns(daemon: Daemon) -> None:
    raw = await _flooded(daemon, "turns", "t1", "t2", "t3")
    raw.read_again()
    # The first job was alone at first.
    await raw.until("output", id="t3")
    messages = [await raw.receive() for _ in range(15)]
    assert all(len(message["data"]) <= SLICE for message in messages)
    turns = [message["id"] for message in messages]
    assert all(len(set(turns[at : at + 3])) == 3 for at in range(len(turns) - 2)), turns
    await _end(raw, "t1", "t2", "t3")


async def test_a_slow_reader_gets_larger_frames(daemon: Daemon) -> None:
    raw = await _flooded(daemon, "slow", "s1")
    raw.read_again()
    total = 0
    sizes = []
    while total < WINDOW:
        sizes.append(len((await raw.receive())["data"]))
        total += sizes[-1]
    # Output that was unsent; the first frames had been sent.
    assert sizes.count(SLICE) >= 8, sizes
    await _end(raw, "s1")


@pytest.mark.long
@pytest.mark.parametrize("request_type", ["ping", "list_jobs"])
async def test_a_client_that_asks_and_does_not_read(daemon: Daemon, request_type: str) -> None:
    raw = await Raw.client(daemon, f"asks {request_type}")
    other = await daemon.client()
    for _ in range(8):
        await other.run(": " + "x" * 4000)  # long entries in the lists
    memory_before = memory(daemon)
    raw.stop_reading()
    asked = await ask_until_blocked(raw, other, {"type": request_type, **LONG_IDS})
    assert memory(daemon) - memory_before < 16 * MIB
    assert (await other.run("echo unhindered")).out == "unhindered\n"
    # When it reads again, every request is answered.
    raw.read_again()
    for _ in range(asked):
        assert (await raw.receive())["type"] in ("pong", "jobs_list")
    raw.send({"type": "execute", "id": "last", "command": "echo last"})
    assert (await raw.until("output"))["data"] == "last\n"
    await other.close()


async def ask_until_blocked(raw: Raw, other: Client, message: Message) -> int:
    """Send requests until the daemon stops reading; return their number."""
    asked = turns = 0
    left = -1
    while turns < 300:
        if raw.writer.transport.get_write_buffer_size() == 0:
            raw.write(text(message) * 100)
            asked += 100
        # While the daemon answers others it may also read at least one of these each time.
        await other.ask({"type": "ping"})
        if raw.writer.is_closing():
            break  # the client may be disconnected first, since it answers no pings
        turns = turns + 1 if left == raw.unsent() else 0
        left = raw.unsent()
    return asked


async def test_it_may_also_leave(own_daemon: Callable[..., Daemon]) -> None:
    # The daemon notices the disconnect although it does not read from the socket.
    daemon = own_daemon()
    other = await daemon.client(local=True)
    raw = await Raw.client(daemon, "asks and leaves")
    raw.stop_reading()
    await ask_until_blocked(raw, other, {"type": "ping", **LONG_IDS})
    raw.reset()
    await wait_no_client_connected(daemon)
    await other.close()


async def test_it_may_leave_in_the_middle_of_output(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    raw = await _flooded_alone(daemon)
    raw.reset()
    await wait_no_client_connected(daemon)
    client = await daemon.client()
    (job,) = client.status["jobs"]
    assert job["state"] == "running"
    await client.close()


async def _flooded_alone(daemon: Daemon) -> Raw:
    raw = await Raw.client(daemon, "floods")
    raw.stop_reading()
    raw.send({"type": "execute", "id": "flood", "command": "yes"})
    observer = await daemon.client(local=True)
    await window_is_full(observer, "flood")
    await observer.close()
    return raw


async def test_shutdown_does_not_wait_for_it(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "2", "--grace", "0")
    reader = await daemon.client("reads")
    session = await reader.session(command="cat")
    raw = await _flooded_alone(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    assert (await reader.until("daemon_stopping"))[-1] == {"type": "daemon_stopping"}
    assert (await reader.until("session_ended", id=session))[-1]["reason"] == "killed"
    assert await reader.closed() == (1001, "the daemon is stopping")
    assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0
    raw.read_again()
    await raw.gone()


async def test_what_waits_is_sent_before_the_end(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0")
    raw = await _flooded_alone(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    raw.read_again()
    await raw.until("daemon_stopping")
    result = await raw.until("result")
    assert (result["id"], result["reason"]) == ("flood", "killed")
    assert (await raw.closed())[0] == 1001


async def test_who_has_not_authenticated_delays_nothing(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    raw = await Raw.upgraded(daemon)
    half = await Raw.open(daemon)
    half.write(b"GET /ws HTTP/1.1\r\nHost: ")
    idle = await Raw.open(daemon)
    assert (await idle.ask("/health", {"Host": "localhost"})).status == 200
    daemon.process.send_signal(signal.SIGTERM)
    assert (await raw.closed())[0] == 1001
    assert await asyncio.to_thread(daemon.process.wait, PATIENCE) == 0
    await half.gone()
    await idle.gone()


async def test_a_defect_in_the_writer(patched_daemon: Callable[..., Daemon]) -> None:
    daemon = patched_daemon(
        """
        import shellwire.server.render as render
        event_message = render.event_message
        def broken(job, *rest):
            assert job.key.id != "broken", "this is a defect"
            return event_message(job, *rest)
        render.event_message = broken
        """,
        "--max-clients",
        "2",
    )
    other = await daemon.client()
    raw = await Raw.client(daemon, "unlucky")
    raw.send({"type": "execute", "id": "broken", "command": "echo"})
    await raw.gone()
    assert (await other.run("echo on")).out == "on\n"
    await other.close()
    log = (daemon.home / "daemon.log").read_text()
    assert "the writer of client unlucky failed" in log
    assert "AssertionError: this is a defect" in log


async def test_frames_are_whole_messages(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "whole")
    command = "seq 100000; printf '\\303'"
    raw.send({"type": "execute", "id": "w", "command": command, "encoding": "base64"})
    data = b""
    while (message := await raw.receive())["type"] != "result":
        data += base64.b64decode(message["data"])
        assert message["end"] == len(data)
    assert data.split(b"\n") == [*(b"%d" % n for n in range(1, 100_001)), b"\303"]
