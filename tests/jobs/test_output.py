"""Every byte arrives once, whatever its size, its stream and the speed of either side."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.jobs.observe import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message, Ran

MIB = 1024 * 1024


def _raw(ran: Ran, stream: str) -> bytes:
    return b"".join(
        base64.b64decode(each["data"]) for each in ran.of_type("output") if each["stream"] == stream
    )


def _check_ends(messages: list[Message]) -> None:
    """Check that each frame begins where the one before it ended."""
    at = 0
    for message in messages:
        at += len(base64.b64decode(message["data"]))
        assert message["end"] == at


@pytest.mark.parametrize("size", [0, 1, 4095, 65_536, 65_537, 1_000_003, 6_000_000])
async def test_both_streams_by_hash(client: Client, size: int) -> None:
    command = (
        "d=$(mktemp -d); for n in 1 2; do head -c $SIZE /dev/urandom >$d/$n; done; "
        "cat $d/1 & cat $d/2 >&2; wait; cat $d/1 $d/2 | sha256sum >$d/sum; "
        "echo; cat $d/sum; rm -r $d"
    )
    ran = await client.run(command, env={"SIZE": str(size)}, encoding="base64")
    out, err = _raw(ran, "stdout"), _raw(ran, "stderr")
    assert (len(err), ran.last["bytes"]) == (size, {"stdout": len(out), "stderr": size})
    data, said = out[:size], out[size:].decode()
    assert said.split()[0] == hashlib.sha256(data + err).hexdigest()
    _check_ends(ran.of_type("output"))


@pytest.mark.parametrize("is_pty", [False, True])
async def test_a_fast_exit_after_a_big_write(client: Client, is_pty: bool) -> None:
    for size in (1000, 60_000, 300_000):
        ran = await client.run(f"exec head -c {size} /dev/zero", is_pty=is_pty, encoding="base64")
        assert _raw(ran, "stdout") == bytes(size)
        assert ran.code == 0


async def test_a_pipe_larger_than_usual(client: Client) -> None:
    # F_SETPIPE_SZ (fcntl(2)): a mebibyte is in each pipe when the leader exits at once.
    ran = await client.run(
        "exec python3 -c 'import fcntl, os\n"
        "for fd in 1, 2:\n"
        "    fcntl.fcntl(fd, 1031, 1 << 20)\n"
        "    os.write(fd, bytes(1 << 20))'",
        encoding="base64",
    )
    assert (ran.code, ran.last["bytes"]) == (0, {"stdout": MIB, "stderr": MIB})
    assert (_raw(ran, "stdout"), _raw(ran, "stderr")) == (bytes(MIB), bytes(MIB))


async def test_characters_are_never_cut(client: Client) -> None:
    text = "aé€😀" * 50_000
    ran = await client.run('cat; cat <<<"$X" >&2', stdin_data=text, env={"X": "aé€😀" * 1000})
    assert ran.out == text
    assert ran.err == "aé€😀" * 1000 + "\n"
    assert all("�" not in each["data"] for each in ran.of_type("output"))


async def test_a_character_cut_by_time(client: Client) -> None:
    ran = await client.run("printf '\\342\\202'; echo between >&2; sleep 0.05; printf '\\254.'")
    assert (ran.out, ran.err) == ("€.", "between\n")
    cut = await client.run("printf 'a\\342\\202'")
    assert (cut.out, cut.last["bytes"]["stdout"]) == ("a�", 3)


@pytest.mark.parametrize("limit", [1, 10, 65_536, 100_001])
async def test_exactly_the_first_bytes_up_to_the_limit(client: Client, limit: int) -> None:
    ran = await client.run(f"seq 100000; {FOREVER}", max_output_bytes=limit, encoding="base64")
    whole = "".join(f"{number}\n" for number in range(1, 100_001)).encode()
    assert _raw(ran, "stdout") == whole[:limit]
    assert (ran.last["reason"], ran.last["bytes"]["stdout"]) == ("output_limit", limit)


async def test_the_limit_itself_is_allowed(client: Client) -> None:
    ran = await client.run("printf 12345", max_output_bytes=5)
    assert (ran.out, ran.last["reason"]) == ("12345", "exited")


async def test_limits_by_default(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--max-output", "1000").client()
    ran = await client.run("seq 10000")
    assert (len(ran.out), ran.last["reason"]) == (1000, "output_limit")
    assert len((await client.run("seq 10000", max_output_bytes=0)).out) == 48_894
    assert len((await client.run("seq 10000", max_output_bytes=2000)).out) == 2000
    session = await client.session(command="seq 10000")
    messages = await client.until("session_ended", id=session)
    assert sum(len(each.get("data", "")) for each in messages) == 48_894
    await client.close()


async def test_a_limit_is_reached_with_a_reader_that_is_behind(client: Client) -> None:
    # Output beyond the limit is dropped, more than a window of it; so is the trap's.
    ran = await client.run(
        "trap 'echo late; exit 9' TERM; yes & wait", max_output_bytes=100, timeout=30
    )
    assert (ran.last["reason"], ran.code, len(ran.out)) == ("output_limit", 9, 100)


async def _collect(client: Client, command: str, **fields: object) -> Message:
    ran = await client.run(command, collect=True, **fields)
    assert ran.of_type("output") == []
    return ran.last


async def test_collect(client: Client) -> None:
    result = await _collect(client, "echo out; echo é >&2")
    assert (result["stdout"], result["stderr"], result["truncated"]) == ("out\n", "é\n", False)
    result = await _collect(client, "seq 100000; seq 7 >&2", max_chars=1000)
    assert result["truncated"]
    assert result["stdout"].startswith("1\n2\n")
    assert result["stdout"].endswith("\n100000\n")
    assert result["stderr"] == "1\n2\n3\n4\n5\n6\n7\n"


async def test_truncated_binary_output_has_an_ascii_mark(client: Client) -> None:
    command = r"printf '\377%.0s' {1..1000}"
    result = await _collect(client, command, encoding="base64", max_chars=10)
    said = b"\n[... 990 characters left out ...]\n"
    assert base64.b64decode(result["stdout"]) == b"\xff" * 4 + said + b"\xff" * 6
    # Memory is bounded: the output is twenty times the buffer.
    result = await _collect(client, "head -c 40000000 /dev/zero", max_output_bytes=0)
    assert result["bytes"]["stdout"] == 40_000_000
    result = await _collect(client, "printf '\\377\\0'", encoding="base64")
    assert base64.b64decode(result["stdout"]) == b"\xff\x00"


async def test_a_reader_that_pauses_gets_everything(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-clients", "2")
    slow, other = await daemon.client(), await daemon.client()
    slow.ws.transport.pause_reading()
    before = psutil.Process(daemon.pid).memory_info().rss
    size = 30_000_000
    job = await slow.start(
        f"head -c {size} /dev/urandom | tee >(sha256sum >&2); sleep 0.1",
        encoding="base64",
    )

    async def end() -> int:
        jobs = (await other.ask({"type": "list_jobs"}))["jobs"]
        return int(jobs[0]["end"]) if jobs else 0

    # The process blocks once sockets and window are full, far from its end.
    seen = -1
    while seen != (seen := await end()) or seen == 0:
        assert (await other.run("sleep 0.1; echo here")).out == "here\n"
    assert seen < 10 * MIB
    assert psutil.Process(daemon.pid).memory_info().rss < before + 16 * MIB
    slow.ws.transport.resume_reading()
    ran = await slow.finish(job)
    out = _raw(ran, "stdout")
    assert len(out) == size
    assert _raw(ran, "stderr").split()[0].decode() == hashlib.sha256(out).hexdigest()
    assert ran.of_type("gap") == []
    _check_ends(ran.of_type("output"))
    await slow.close()
    await other.close()


async def _ends(client: Client) -> dict[str, int]:
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    return {each["id"]: each["end"] for each in jobs if each["reason"] is None}


async def test_an_exit_while_the_reader_is_one_buffer_behind(
    own_daemon: Callable[..., Daemon],
) -> None:
    # The window is the whole buffer; the bytes in the kernel come on top.
    size = 65_536
    daemon = own_daemon("--max-clients", "2", "--buffer", str(size))
    slow, other = await daemon.client(), await daemon.client()
    slow.ws.transport.pause_reading()
    flood = await slow.start("yes", max_output_bytes=0)
    seen = {flood: -1}
    while seen != (seen := await _ends(other)) or seen == {flood: 0}:
        await other.run("sleep 0.1")
    text = "€" * ((size + 60_000) // 3)
    job = await slow.start("cat; printf €€ >&2", stdin_data=text)
    while job in await _ends(other):
        await other.run(":")
    await other.ask({"type": "kill_session", "id": flood})
    slow.ws.transport.resume_reading()
    ran = await slow.finish(job)
    assert ran.of_type("gap") == []
    assert (ran.out, ran.err) == (text, "€€")
    await slow.close()
    await other.close()


async def test_a_client_that_never_reads_does_not_block_others(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon("--max-clients", "2")
    deaf, other = await daemon.client(), await daemon.client()
    before = psutil.Process(daemon.pid).memory_info().rss
    deaf.ws.transport.pause_reading()
    jobs = [await deaf.start("yes", max_output_bytes=0, timeout=0) for _ in range(2)]
    for _ in range(100):
        assert (await other.run("echo here")).out == "here\n"
    assert psutil.Process(daemon.pid).memory_info().rss < before + 16 * MIB
    for job in jobs:
        await other.ask({"type": "kill_session", "id": job})
    states: set[str] = set()
    while states != {"ended"}:
        listed = (await other.ask({"type": "list_jobs"}))["jobs"]
        states = {each["state"] for each in listed if each["id"] in jobs}
    deaf.ws.transport.abort()
    await other.close()


async def test_the_output_limit_applies_to_the_last_read_too(client: Client) -> None:
    # Nothing is consumed of a window of 10 bytes: the rest is read after the leader has ended.
    job = await client.start("printf %0200d 7", window=10, max_output_bytes=100)
    (first,) = await client.until("output", id=job)
    while (await client.ask({"type": "read_output", "id": job, "after": 10}))["end"] != 100:
        pass
    await client.send({"type": "credit", "id": job, "end": first["end"]})
    while (last := (await client.until("output", "result", id=job))[-1])["type"] == "output":
        await client.send({"type": "credit", "id": job, "end": last["end"]})
    assert (last["reason"], last["bytes"]["stdout"]) == ("output_limit", 100)
