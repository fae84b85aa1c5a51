"""A daemon that stops leaves nothing behind and reports the outcome of every job."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from tests.jobs.observe import FOREVER, becomes, below, is_alive
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon


async def _pids(client: Client, command: str, count: int, **fields: object) -> list[int]:
    job = await client.start(command, **fields)
    text = ""
    while len(text.split()) < count:
        text += (await client.until("output", id=job))[-1]["data"]
    return [int(word) for word in text.split()[:count]]


async def test_everything_ends(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0.3")
    client = await daemon.client()
    left = await client.run(
        f"setsid {FOREVER} >&2 & echo $!; (env -i setsid {FOREVER} >&2 & echo $!); echo $$"
    )
    pids = [int(word) for word in left.out.split()[:2]]
    for command in (
        f"echo $$; {FOREVER} & echo $!; wait",
        f"(setsid sh -c '{FOREVER} & echo $! $$; wait' &); {FOREVER}",
        "bash -c 'trap \"\" TERM HUP; echo $$ $PPID; while :; do sleep 0.1; done'",
    ):
        pids += await _pids(client, command, 2)
    session = await client.session(use_pty=True, command="cat")
    waiting = await client.start("echo never")
    await client.until("command_queued", id=waiting)
    assert all(is_alive(pid) for pid in pids)
    daemon.process.send_signal(signal.SIGTERM)
    assert (await client.closed())[0] == 1001
    daemon.stop()
    assert not any(is_alive(pid) for pid in pids)
    types = [each["type"] for each in client.aside]
    assert types.count("daemon_stopping") == 1
    refused = next(each for each in client.aside if each.get("code"))
    assert (refused["id"], refused["code"]) == (waiting, "DAEMON_STOPPING")
    ended = [each for each in client.aside if each["type"] in ("result", "session_ended")]
    assert [each["reason"] for each in ended] == ["killed"] * 4
    assert session in [each["id"] for each in ended]


async def test_running_commands_have_a_grace_period(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "20")
    client = await daemon.client()
    job = await client.start("echo up; sleep 0.5; export LATE=1; echo done; exit 3")
    await client.output_until(job, "up")
    session = await client.session(command="cat")
    daemon.process.send_signal(signal.SIGTERM)
    # Nothing new is admitted, and the session ends before the command does.
    assert (await client.until("session_ended", id=session))[-1]["reason"] == "killed"
    assert (await client.run(":")).last["code"] == "DAEMON_STOPPING"
    ran = await client.finish(job)
    assert (ran.out, ran.code, ran.last["reason"]) == ("done\n", 3, "exited")
    await client.closed()
    daemon.stop()


async def test_every_waiting_client_gets_the_outcome(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0.1", "--max-clients", "3")
    starter, viewer, asker = [await daemon.client() for _ in range(3)]
    shared = await starter.start(f"echo up; {FOREVER}")
    await starter.output_until(shared, "up")
    alone = await starter.start(f"echo up; {FOREVER}", on_disconnect="keep")
    await starter.output_until(alone, "up")
    await viewer.send({"type": "attach", "id": shared, "after": 3})
    await viewer.until("attached")
    asking = {"type": "read_output", "after": 3, "wait_ms": 600_000}
    await asker.send({**asking, "id": shared})
    await asker.send({**asking, "id": alone, "until": "never"})
    starter.ws.transport.abort()
    await asker.ask({"type": "ping"})
    daemon.process.send_signal(signal.SIGTERM)
    assert (await viewer.finish(shared)).last["reason"] == "killed"
    for job in (shared, alone):
        page = (await asker.until("output_page", id=job))[-1]
        assert (page["chunks"], page["exit_code"]) == ([], -signal.SIGTERM)
    for each in (viewer, asker):
        assert (await each.closed())[0] == 1001
        assert "daemon_stopping" in [message["type"] for message in each.aside]
    daemon.stop()
    assert daemon.process.returncode == 0


async def test_a_second_signal_ends_the_grace_period(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "600")
    client = await daemon.client()
    job = await client.start(f"echo up; {FOREVER}", timeout=0)
    await client.output_until(job, "up")
    daemon.process.send_signal(signal.SIGTERM)
    await client.until("daemon_stopping")
    daemon.process.send_signal(signal.SIGTERM)
    assert (await client.finish(job)).last["reason"] == "killed"
    await client.closed()
    daemon.stop()


async def test_a_signal_arrives_among_a_thousand_exits(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0")
    client = await daemon.client()
    ran = await client.run(f"for i in {{1..1000}}; do {FOREVER} >&2 & echo $!; done", timeout=0)
    pids = [int(word) for word in ran.out.split()]
    # The stopped daemon gets all signals at once when it is continued.
    daemon.process.send_signal(signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGCONT)
    assert (await client.closed())[0] == 1001
    assert daemon.process.wait(PATIENCE) == 0
    assert "wakeup" not in daemon.failure()
    daemon.stop()


async def test_a_client_that_does_not_read_delays_it_little(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--grace", "0")
    client = await daemon.client()
    client.ws.transport.pause_reading()
    await client.start("yes", max_output_bytes=0)
    begun = time.monotonic()
    await asyncio.to_thread(daemon.stop)
    # The daemon waits two seconds for the client; TERM ends the job. The rest is a margin.
    assert time.monotonic() - begun < 60
    client.ws.transport.abort()


async def test_an_idle_daemon_leaves_nothing(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--spares", "2")
    client = await daemon.client()
    for _ in range(5):
        await client.run("sleep 0.01 & :")
    await client.close()
    await becomes(lambda: len(below(daemon)) == 2)
    waiting = daemon.children()
    daemon.stop()
    assert not any(is_alive(pid) for pid in waiting)
    assert daemon.process.returncode == 0
