"""Commands: results, streams, input, and what happens when their client goes away."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.errors import InvalidMessage, OutputLost, QueueFull
from tests.faults.proxy import Proxy
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shellwire.protocol.messages import JobInfo
    from tests.live import Daemon


async def state_of(c: Client, job_id: str) -> JobInfo:
    """Return a job's entry in the list."""
    (job,) = [each for each in await c.jobs() if each.id == job_id]
    return job


async def newest(c: Client, client_id: str | None = None) -> JobInfo:
    """Return the newest job of this client, or of another one."""
    client_id = client_id or c.client_id
    return [each for each in await c.jobs() if each.client_id == client_id][-1]


async def ended(c: Client, job_id: str) -> JobInfo:
    """Return a job's entry once it has ended."""
    async with asyncio.timeout(PATIENCE):
        while (job := await state_of(c, job_id)).state != "ended":
            pass
    return job


async def until(c: Client, wanted: Callable[[JobInfo], bool]) -> None:
    """Return once a job of this client satisfies ``wanted``."""
    async with asyncio.timeout(PATIENCE):
        while not [job for job in await c.jobs() if job.client_id == c.client_id and wanted(job)]:
            pass


async def test_a_result(c: Client) -> None:
    result = await c.run("echo out; echo err >&2; cd /usr; exit 3")
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
    assert (result.reason, result.cwd, result.signal, result.error) == (
        "exited",
        "/usr",
        None,
        None,
    )
    assert result.duration_ms > 0
    assert result.committed
    assert (await c.run("pwd")).stdout == "/usr\n"


async def test_its_options(c: Client) -> None:
    result = await c.run("pwd; echo $A", cwd="/usr", env={"A": "é"})
    assert result.stdout == "/usr\né\n"
    result = await c.run("sleep 30", timeout=0.1)
    assert (result.reason, result.signal) == ("timed_out", "SIGTERM")
    result = await c.run("stty size", pty=True, cols=100, rows=30)
    assert result.stdout == "30 100\r\n"
    result = await c.run("yes", max_output_bytes=6)
    assert (result.reason, result.stdout) == ("output_limit", "y\ny\ny\n")
    result = await c.run("true", cwd="/no/such")
    assert (result.reason, result.exit_code) == ("spawn_failed", -1)
    assert "/no/such" in (result.error or "")


async def test_run_returns_all_output(c: Client, tmp_path: Path) -> None:
    content = os.urandom(10_000_000)
    (tmp_path / "big").write_bytes(content)
    result = await c.run(f"cat {tmp_path}/big; cat {tmp_path}/big >&2")
    assert result.stdout_bytes == content
    assert result.stderr_bytes == content


async def test_no_output_limit_by_default(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0", "--max-output", "1000", "--buffer", "4096")
    async with Client(daemon.url, token=daemon.token) as c:
        result = await c.run("seq 100000")
    assert result.stdout == "".join(f"{number}\n" for number in range(1, 100_001))


@pytest.mark.parametrize(
    "given", ["hé\0\n", b"\xff\0", "", b"", "é" * 700_000, b"\xff" * 6_000_000]
)
async def test_input(c: Client, given: str | bytes) -> None:
    expected = given if isinstance(given, bytes) else given.encode()
    assert (await c.run("cat", input=given)).stdout_bytes == expected


async def test_head_and_tail(c: Client) -> None:
    result = await c.run("seq 100000; printf äöü >&2; exit 3", collect=True, max_chars=20)
    assert (result.exit_code, result.truncated, result.missing) == (3, True, 0)
    assert result.stdout.startswith("1\n2\n3\n4\n\n[… 588875 characters left out")
    assert result.stdout.endswith("9\n100000\n")
    assert result.stderr == "äöü"
    assert not (await c.run("echo all", collect=True)).truncated
    assert not (await c.run("seq 100000")).truncated


async def test_unread_input(c: Client) -> None:
    result = await c.run("exit 4", input=b"\xff" * 6_000_000)
    assert result.exit_code == 4


async def test_input_of_a_queued_command(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0", "--max-processes", "1", "--max-clients", "2")
    async with (
        Client(daemon.url, token=daemon.token) as c,
        c.stream("read", open_stdin=True) as first,
    ):
        second = asyncio.create_task(c.run("wc -c", input=b"\xff" * 2_000_000))
        await until(c, lambda job: job.state == "queued")
        await first.write("\n")
        assert (await second).stdout.strip() == "2000000"


async def test_a_stream(c: Client) -> None:
    stream = c.stream("echo out; read; echo err >&2; exit 5", open_stdin=True)
    seen = []
    end = 0
    async for chunk in stream:
        seen.append((chunk.stream, chunk.data))
        assert chunk.end == end + len(chunk.bytes)
        end = chunk.end
        if chunk.data == "out\n":
            await stream.write("\n")
    assert seen == [("stdout", "out\n"), ("stderr", "err\n")]
    assert stream.result.exit_code == 5


async def test_leaving_a_stream_ends_its_command(c: Client) -> None:
    async with c.stream("yes") as stream:
        async for _ in stream:
            break
    assert (await state_of(c, stream.id)).reason == "killed"
    async for _ in (bare := c.stream("yes")):
        break
    assert (await ended(c, bare.id)).reason == "killed"


async def test_a_slow_reader_blocks_the_command(c: Client) -> None:
    async with c.stream("yes") as stream:
        await anext(aiter(stream))
        other = await c.run("echo meanwhile")
        assert other.stdout == "meanwhile\n"
        assert (await state_of(c, stream.id)).end <= 2 * 1024 * 1024


async def test_cancelling_run_ends_its_command(c: Client) -> None:
    running = asyncio.create_task(c.run("sleep 100"))
    await until(c, lambda job: job.command == "sleep 100" and job.state == "running")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    job = await newest(c)
    assert (job.state, job.reason) == ("ended", "killed")


async def test_closing_the_client_ends_its_commands(daemon: Daemon, c: Client) -> None:
    async with Client(daemon.url, token=daemon.token) as other:
        stream = other.stream("sleep 100")
        await stream.begin()
        kept = await other.start("sleep 100")
    assert (await ended(c, stream.id)).reason == "killed"
    assert (await state_of(c, kept)).state == "running"
    await c.kill(kept)


async def test_refusals_are_raised(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--grace", "0", "--max-processes", "1", "--max-queue", "0")
    async with Client(daemon.url, token=daemon.token) as c, c.stream("sleep 100"):
        with pytest.raises(QueueFull) as refusal:
            await c.run("true")
        assert refusal.value.code == "QUEUE_FULL"
        with pytest.raises(InvalidMessage, match=r"^env\.A=B: "):
            await c.run("true", env={"A=B": ""})
        with pytest.raises(InvalidMessage, match="may have 16777216 bytes"):
            await c.run("x" * 17_000_000)


async def test_background_output_is_ignored(c: Client) -> None:
    result = await c.run("yes & echo $! >&2")
    pid = result.stderr.split()[0]
    assert (await c.run("echo after")).stdout == "after\n"
    assert (await c.run(f"kill {pid}")).exit_code == 0


async def test_a_notice_is_in_the_result(c: Client) -> None:
    await c.run("cd $(mktemp -d) && mkdir a && cd a && rmdir ../a")
    result = await c.run('rmdir "$PWD"; cd /')
    assert [notice.code for notice in result.notices] == ["CWD_GONE"]


async def test_read_reports_a_gap_once(c: Client, daemon: Daemon) -> None:
    async with c.stream("yes | head -c 5000000; read", open_stdin=True) as stream:
        async for chunk in stream:
            if chunk.end == 5_000_000:
                break
        with pytest.raises(RuntimeError, match="already"):
            await c.attach(stream.id).begin()
        async with (
            Client(daemon.url, token=daemon.token) as other,
            other.attach(stream.id) as late,  # later than the buffer reaches back
        ):
            with pytest.raises(OutputLost):
                await late.read()
            assert (await late.read()).startswith("y\n")
        await stream.write("\n")
        assert (await stream.wait()).exit_code == 0


async def test_messages_are_compressed_if_the_daemon_offers_it(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--compress")
    async with Proxy(daemon.url) as proxy:
        async with Client(proxy.url, token=daemon.token) as client:
            result = await client.run("seq 100000")
        assert len(result.stdout) == 588_895
        await proxy.stop()
    assert 0 < proxy.passed < 400_000
