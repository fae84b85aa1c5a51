"""Jobs after a disconnect: on_disconnect and detach-ttl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, is_alive
from tests.server.observe import cli, job_info, wait_no_client_connected, wait_state
from tests.server.raw import CLOSE, Raw, frame
from tests.server.test_attach import attached
from tests.server.test_read_output import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.live import Client, Daemon


@pytest.fixture
async def observer(daemon: Daemon) -> AsyncIterator[Client]:
    """Yield a client that stays connected."""
    client = await daemon.client()
    yield client
    await client.close()


async def _fin(raw: Raw) -> None:
    await raw.close()


async def _rst(raw: Raw) -> None:
    raw.reset()


async def _close_frame(raw: Raw) -> None:
    raw.write(frame(CLOSE, b"\x03\xe8"))
    await raw.gone()


async def _protocol_error(raw: Raw) -> None:
    raw.write(b"\xff" * 20)
    await raw.gone()


@pytest.mark.parametrize("way", [_fin, _rst, _close_frame, _protocol_error])
async def test_jobs_survive_every_kind_of_disconnect(
    daemon: Daemon, observer: Client, way: Callable[[Raw], Awaitable[None]]
) -> None:
    name = way.__name__
    raw = await Raw.client(daemon, f"goes by {name}")
    kill = {"on_disconnect": "kill"}
    raw.send({"type": "execute", "id": f"keep{name}", "command": FOREVER, "timeout": 0})
    raw.send({"type": "execute", "id": f"kill{name}", "command": FOREVER, **kill})
    raw.send({"type": "start_session", "id": f"session{name}", "command": "cat", **kill})
    raw.send({"type": "execute", "id": f"left{name}", "command": f"{FOREVER} & echo $!", **kill})
    pid = int((await raw.until("output", id=f"left{name}"))["data"])
    await raw.until("result", id=f"left{name}")
    await way(raw)
    for job in (f"kill{name}", f"session{name}", f"left{name}"):
        info = await wait_state(observer, job, "ended")
        assert info["reason"] == ("exited" if job.startswith("left") else "killed")
    assert not is_alive(pid)
    assert (await job_info(observer, f"keep{name}"))["state"] == "running"
    # A new connection can reach the jobs again.
    again = await daemon.client(f"goes by {name}")
    await again.send({"type": "kill_session", "id": f"keep{name}"})
    await attached(again, f"kill{name}")
    assert (await again.finish(f"kill{name}")).last["reason"] == "killed"
    await attached(again, f"keep{name}")
    assert (await again.finish(f"keep{name}")).last["reason"] == "killed"
    await again.close()


async def test_queued_commands_are_cancelled_on_disconnect(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-clients", "2")
    observer, client = await daemon.client(), await daemon.client()
    await client.start(FOREVER, id="first", on_disconnect="kill")
    await client.start("echo never", id="second", on_disconnect="kill")
    await client.until("command_queued")
    client.ws.transport.abort()
    await wait_state(observer, "first", "ended")
    assert (await wait_state(observer, "second", "ended"))["started_at"] is None
    await observer.close()


async def test_takeover_is_no_disconnect(daemon: Daemon, observer: Client) -> None:
    old = await daemon.client("moves with its jobs")
    await old.start("read", id="moved", open_stdin=True, on_disconnect="kill")
    new = await daemon.client("moves with its jobs")
    assert (await old.closed())[0] == 4000
    assert (await job_info(observer, "moved"))["state"] == "running"
    await attached(new, "moved")
    await new.send({"type": "send_input", "id": "moved", "data": "\n"})
    assert (await new.finish("moved")).code == 0
    await new.start(FOREVER, id="moved on", on_disconnect="kill")
    new.ws.transport.abort()
    assert (await wait_state(observer, "moved on", "ended"))["reason"] == "killed"


async def test_revocation_is_a_disconnect(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    client = await daemon.client("victim")
    await client.start(FOREVER, id="keep", timeout=0)
    await client.start(FOREVER, id="kill", on_disconnect="kill")
    cli(daemon, "clients", "revoke", "victim")
    observer = await daemon.client(local=True)
    await wait_state(observer, "kill", "ended")
    assert (await job_info(observer, "keep"))["state"] == "running"
    await observer.ask({"type": "kill_session", "id": "keep"})
    await observer.close()


# Detached ----------------------------------------------------------------------------------------


async def test_detach_ttl_ends_jobs(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--detach-ttl", "0.3", "--max-clients", "3", "--max-processes", "4")
    observer, client, other = [await daemon.client() for _ in range(3)]
    assert observer.status["limits"]["detach_ttl_seconds"] == 0.3
    ran = await client.run(f"{FOREVER} & echo $!", id="background")
    for job in ("forgotten", "attached"):
        await client.session(id=job, command="cat")
    await client.start(FOREVER, id="command", timeout=0)
    await other.session(id="of a client that is here", command="cat")
    await other.ask({"type": "detach", "id": "of a client that is here"})
    await attached(other, "attached")
    client.ws.transport.abort()
    for job in ("forgotten", "command"):
        assert (await wait_state(observer, job, "ended"))["reason"] == "killed"
    # Still alive: a job with its result sent, and jobs with a connected viewer or client.
    for job, state in (
        ("background", "background"),
        ("attached", "running"),
        ("of a client that is here", "running"),
    ):
        assert (await job_info(observer, job))["state"] == state
    assert is_alive(int(ran.out))
    await other.ask({"type": "detach", "id": "attached"})
    assert (await wait_state(observer, "attached", "ended"))["reason"] == "killed"
    assert (await job_info(observer, "of a client that is here"))["state"] == "running"
    await other.close()
    assert (await wait_state(observer, "of a client that is here", "ended"))["reason"] == "killed"
    await observer.ask({"type": "kill_session", "id": "background"})
    await observer.close()


async def test_requests_reset_the_detach_ttl(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--detach-ttl", "0.7", "--max-clients", "2")
    observer, client = await daemon.client(), await daemon.client()
    for job in ("forgotten", "polled", "waited for", "typed to"):
        await client.session(id=job, command="cat")
    client.ws.transport.abort()
    await observer.send({"type": "read_output", "id": "waited for", "wait_ms": 100_000})
    while (await job_info(observer, "forgotten"))["state"] == "running":
        await read(observer, "polled")
        await observer.ask({"type": "send_input", "id": "typed to", "data": ""})
    for job in ("polled", "waited for", "typed to"):
        assert (await job_info(observer, job))["state"] == "running"
    for job in ("polled", "typed to"):
        assert (await wait_state(observer, job, "ended"))["reason"] == "killed"
    assert (await job_info(observer, "waited for"))["state"] == "running"
    await observer.send({"type": "kill_session", "id": "waited for"})
    assert (await observer.until("output_page", id="waited for"))[-1]["exit_code"] == -15
    await observer.close()


async def test_output_resets_the_detach_ttl(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--detach-ttl", "2", "--max-clients", "2")
    observer, client = await daemon.client(), await daemon.client()
    await client.start("while sleep 0.2; do echo; done", id="builds", timeout=0)
    await client.start(FOREVER, id="silent", timeout=0)
    await client.ask({"type": "ping"})  # its answer shows that the messages before it have arrived
    client.ws.transport.abort()
    assert (await wait_state(observer, "silent", "ended"))["reason"] == "killed"
    assert (await job_info(observer, "builds"))["state"] == "running"
    await observer.ask({"type": "kill_session", "id": "builds"})
    await observer.close()


@pytest.mark.parametrize("ttl", ["0", "0.3"])
async def test_a_job_may_have_its_own_detach_ttl(
    own_daemon: Callable[..., Daemon], ttl: str
) -> None:
    daemon = own_daemon("--detach-ttl", ttl, "--max-clients", "2")
    observer, client = await daemon.client(), await daemon.client()
    await client.start(FOREVER, id="for ever", timeout=0, detach_ttl=0)
    await client.start(FOREVER, id="long", timeout=0, detach_ttl=3600)
    await client.start(FOREVER, id="short", timeout=0, detach_ttl=0.2)
    await client.session(id="session", command="cat", detach_ttl=0.2)
    client.ws.transport.abort()
    for job in ("short", "session"):
        assert (await wait_state(observer, job, "ended"))["reason"] == "killed"
    for job in ("for ever", "long"):
        assert (await job_info(observer, job))["state"] == "running"
        await observer.ask({"type": "kill_session", "id": job})
    await observer.close()


async def test_the_detach_ttl_of_a_queued_command_begins_when_it_starts(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--detach-ttl", "0.3", "--max-processes", "1", "--max-clients", "2")
    observer, client = await daemon.client(), await daemon.client()
    await observer.start("sleep 1.5", id="runs")
    await client.start(FOREVER, id="waits", timeout=0)
    await client.until("command_queued")
    client.ws.transport.abort()
    await observer.finish("runs")
    waited = await wait_state(observer, "waits", "ended")
    assert waited["reason"] == "killed"
    assert waited["started_at"] is not None
    await observer.close()


async def test_detach_ttl_0_is_no_limit(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--detach-ttl", "0")
    client = await daemon.client()
    await client.session(id="kept", command="cat")
    client.ws.transport.abort()
    await wait_no_client_connected(daemon)
    local = await daemon.client(local=True)
    assert local.status["limits"]["detach_ttl_seconds"] == 0
    assert (await job_info(local, "kept"))["state"] == "running"
    await local.close()
