"""Shells, attaching, output pages, contexts and the client's other methods."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client, Job
from shellwire.errors import (
    DuplicateId,
    NotFound,
    SessionError,
    SessionNotFound,
    TooManyProcesses,
    UnknownType,
)
from tests.client.test_run import state_of
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def read_until(job: Job, text: str) -> str:
    """Return a job's output up to ``text``."""
    seen = ""
    async with asyncio.timeout(PATIENCE):
        while text not in seen:
            piece = await job.read()
            assert piece, seen
            seen += piece
    return seen


async def test_a_shell(c: Client) -> None:
    async with c.shell(cols=100, rows=30, env={"PS1": "> "}) as sh:
        assert sh.pid
        await sh.write("stty size\n")
        await read_until(sh, "30 100")
        await sh.resize(90, 20)
        await sh.write("stty size\n")
        await read_until(sh, "20 90")
    job = await state_of(c, sh.id)
    assert (job.state, job.reason) == ("ended", "killed")


async def test_signals(c: Client) -> None:
    text = "trap 'echo one' INT; trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done"
    async with c.shell(text) as sh:
        await read_until(sh, "ready")
        await sh.signal("INT")
        await read_until(sh, "one")
        await sh.signal(signal.SIGUSR1)
        assert (await sh.wait()).exit_code == 7


async def test_a_shell_that_exits(c: Client) -> None:
    async with c.shell("echo bye; exit 3") as sh:
        assert await sh.read() == "bye\r\n"
        assert await sh.read() == ""
        assert sh.result.exit_code == 3
        with pytest.raises(SessionError):
            await sh.write("late")


async def test_a_session_without_a_terminal(c: Client) -> None:
    async with c.shell("cat", pty=False) as cat:
        await cat.write(b"\xff\0")
        await cat.close_stdin()
        (chunk,) = [chunk async for chunk in cat]
        assert chunk.bytes == b"\xff\0"
        assert cat.result.exit_code == 0


async def test_a_session_without_a_free_slot(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0", "--max-processes", "1")
    async with Client(daemon.url, token=daemon.token) as c, c.shell():
        with pytest.raises(TooManyProcesses):
            async with c.shell():
                pytest.fail("there was a slot")


async def test_start_leaves_it_running(c: Client) -> None:
    job_id = await c.start("echo ready; cat; exit 6")
    page = await c.read_output(job_id, wait=PATIENCE, until="ready\n")
    assert (page.data, page.matched, page.exit_code) == ("ready\n", True, None)
    await c.send_input(job_id, "more\n", close_stdin=True)
    page = await c.read_output(job_id, page.end, wait=PATIENCE, until="more\n")
    assert page.data == "more\n"
    result = await c.attach(job_id).wait()
    assert result.exit_code == 6


async def test_attaching(c: Client, daemon: Daemon) -> None:
    async with c.shell("read a; echo $a; read", cols=70, rows=20) as sh:
        await sh.write("one\n")
        await read_until(sh, "one\r\none\r\n")
        async with Client(daemon.url, token=daemon.token) as other:
            async with other.attach(sh.id, after=5) as seen:
                assert (seen.size, seen.live_from) == ((70, 20), 10)
                chunk = await anext(aiter(seen))
                assert (chunk.data, chunk.replayed) == ("one\r\n", True)
                await sh.write("x")
                chunk = await anext(aiter(seen))
                assert (chunk.data, chunk.replayed) == ("x", False)
            assert (await state_of(other, sh.id)).state == "running"


async def test_unknown_jobs(c: Client) -> None:
    with pytest.raises(NotFound) as refusal:
        await c.attach("nothing").wait()
    assert refusal.value.code == "NOT_FOUND"
    with pytest.raises(NotFound):
        async with c.attach("nothing"):
            pytest.fail("it was there")
    with pytest.raises(SessionNotFound):
        await c.kill("nothing")
    with pytest.raises(NotFound):
        await c.read_output("nothing")
    with pytest.raises(SessionError):
        await c.send_input("nothing", "x")
    with pytest.raises(UnknownType):
        await c.request("dance")


async def test_contexts(c: Client) -> None:
    build = c.context(f"build-{c.client_id}")
    state = await build.set(cwd="/usr", env={"A": "1", "B": "2"}, unset=["B"])
    assert (state.cwd, state.env["A"], "B" in state.env) == ("/usr", "1", False)
    result = await build.run("pwd; echo $A; export A=3")
    assert result.stdout == "/usr\n1\n"
    assert (await build.get()).env["A"] == "3"
    assert [chunk.data async for chunk in build.stream("echo $A")] == ["3\n"]
    async with build.shell("echo $A") as sh:
        assert await sh.read() == "3\r\n"
    assert "A" not in (await build.reset()).env
    assert (await c.context().get()).name == "default"


async def test_status(c: Client) -> None:
    status = await c.status()
    assert status["client_id"] == c.client_id
    assert "attach" in status["features"]


async def test_jobs_are_typed(c: Client) -> None:
    await c.run("exit 9")
    job = [each for each in await c.jobs() if each.client_id == c.client_id][-1]
    assert (job.command, job.exit_code, job.state) == ("exit 9", 9, "ended")


async def test_job_names(c: Client) -> None:
    job_id = await c.start("read x; echo got $x; read x", name="by-name", detach_ttl=0)
    assert {job.id: job.name for job in await c.jobs()}[job_id] == "by-name"
    async with c.attach("by-name") as job:
        assert job.id == job_id
        await job.write("it\n")
        await read_until(job, "got it")
        with pytest.raises(RuntimeError, match=job_id):
            await c.attach("by-name").begin()
        assert "got it" in (await c.read_output("by-name")).data
        await c.kill("by-name")
        assert (await job.wait()).reason == "killed"
    # Also after the job has ended, from the last offset.
    assert (await c.attach("by-name", 4).wait()).id == job_id
    with pytest.raises(NotFound):
        await c.attach("no-such-name").begin()


async def test_duplicate_job_names(c: Client) -> None:
    await c.start("cat", name="taken")
    with pytest.raises(DuplicateId, match="name taken is in use"):
        await c.run("true", name="taken")
    await c.kill("taken")


async def test_a_transient_client_is_not_remembered(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    async with (
        Client(daemon.url, token=daemon.token, client_id="app"),
        Client(daemon.url, token=daemon.token, transient=True) as tool,
    ):
        await tool.run("cd /usr")
        assert (await tool.run("pwd")).stdout == "/usr\n"
        clients = (await tool.request("list_clients"))["clients"]
    assert [each["client_id"] for each in clients] == ["app"]


async def test_bytes_arrive_at_once_and_text_in_whole_characters(c: Client) -> None:
    command = "printf 'a\\342'; read; printf '\\202\\254'; printf '\\303' >&2"
    seen: list[tuple[bytes, str]] = []
    async with c.stream(command, open_stdin=True) as job:
        async for chunk in job:
            seen.append((chunk.bytes, chunk.data))
            if chunk.end == 2:  # the job waits until these two bytes are read
                await job.write("\n")
    assert b"".join(data for data, _ in seen) in (b"a\xe2\x82\xac\xc3", b"a\xe2\xc3\x82\xac")
    assert sorted("".join(text for _, text in seen)) == sorted("a€\ufffd")
    assert job.result.stdout == ""


async def test_pages_of_text(c: Client) -> None:
    job_id = await c.start("printf 'a\\342'; read; printf '\\202\\254'; read")
    async with asyncio.timeout(PATIENCE):
        while (await c.read_output(job_id)).end < 2:
            pass
    exact, page = await c.read_output(job_id), await c.read_output(job_id, text=True)
    assert (exact.chunks[0].bytes, exact.data) == (b"a\xe2", "a\ufffd")
    assert (page.data, page.end) == ("a", 2)
    await c.send_input(job_id, "\n")
    page = await c.read_output(job_id, page.end, wait=PATIENCE, text=True)
    while page.data == "":
        page = await c.read_output(job_id, page.end, wait=PATIENCE, text=True)
    assert (page.data, page.end) == ("€", 4)
    await c.kill(job_id)
