"""The idle timeout of sessions that nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.jobs.observe import FOREVER
from tests.server.observe import job_info, wait_state
from tests.server.test_attach import attached
from tests.server.test_read_output import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_idle_sessions_end(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--idle-timeout", "1").client()
    followed = await client.session(command="cat")
    unused = await client.session(command="cat", use_pty=True)
    command = await client.start(FOREVER, timeout=0)
    for job in (unused, command):
        await client.ask({"type": "detach", "id": job})
    info = await wait_state(client, unused, "ended")
    assert (info["reason"], info["exit_code"]) == ("idle", -15)
    # A viewer that attaches gets the notice about the idle timeout.
    await attached(client, unused)
    messages = await client.until("session_ended", id=unused)
    assert [each["code"] for each in messages if each["type"] == "notice"] == ["IDLE_SOON"]
    assert messages[-1]["reason"] == "idle"
    # A followed session is in use; a command has no idle timeout.
    for job in (followed, command):
        assert (await job_info(client, job))["state"] == "running"
        await client.ask({"type": "kill_session", "id": job})
    await client.until("session_ended", id=followed)
    await client.close()


async def test_use_resets_the_idle_time(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--idle-timeout", "2").client()
    writes = await client.session(command="while sleep 0.2; do echo; done")
    unused, asked, typed = [await client.session(command="cat") for _ in range(3)]
    for job in (writes, unused, asked, typed):
        await client.ask({"type": "detach", "id": job})
    while (await job_info(client, unused))["state"] == "running":
        await read(client, asked)
        await client.ask({"type": "send_input", "id": typed, "data": "x"})
    for job in (writes, asked, typed):
        assert (await job_info(client, job))["state"] == "running"
        await client.ask({"type": "kill_session", "id": job})
    await client.close()


async def test_sessions_of_old_clients_have_an_idle_timeout(
    patched_daemon: Callable[..., Daemon],
) -> None:
    hour = "from shellwire.server.handlers import start\nstart.OLD_IDLE_SECONDS = 0.5"
    daemon = patched_daemon(hour, "--max-clients", "2")
    old, new = await daemon.client(protocol=None), await daemon.client()
    theirs, ours = await old.session(command="cat"), await new.session(command="cat")
    await old.ask({"type": "detach", "id": theirs})
    await new.ask({"type": "detach", "id": ours})
    assert (await wait_state(new, theirs, "ended"))["reason"] == "idle"
    assert (await job_info(new, ours))["state"] == "running"
    await new.ask({"type": "kill_session", "id": ours})
    await old.close()
    await new.close()


async def test_idle_timeout_0_is_no_limit(patched_daemon: Callable[..., Daemon]) -> None:
    # The flag also holds for clients of 0.1.4.
    hour = "from shellwire.server.handlers import start\nstart.OLD_IDLE_SECONDS = 0.01"
    client = await patched_daemon(hour, "--idle-timeout", "0").client(protocol=None)
    session = await client.session(command="read; exit 3")
    await client.ask({"type": "detach", "id": session})
    await client.run("sleep 0.3")
    await attached(client, session)
    await client.send({"type": "send_input", "id": session, "data": "\n"})
    assert (await client.until("session_ended", id=session))[-1]["exit_code"] == 3
    await client.close()
