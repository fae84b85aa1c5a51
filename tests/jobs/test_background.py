"""Background processes: the result does not wait for them, and they run on undisturbed."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.jobs.observe import FOREVER, becomes, is_alive
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live import Client, Daemon, Message

MIB = 1024 * 1024


class Latch:
    """Shells that run the gate's text wait until ``open(count)`` lets that many pass."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)

    def __str__(self) -> str:
        return f"read -N1 <{self._path}"

    def open(self, count: int = 1) -> None:
        os.write(self._fd, b"x" * count)

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Latch]:
    gate = Latch(tmp_path / "gate")
    yield gate
    gate.close()


async def _info(client: Client, job: str) -> Message:
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    return next(each for each in jobs if each["id"] == job)


async def _later_output(client: Client, job: str, text: str) -> list[Message]:
    messages: list[Message] = []
    while text not in "".join(each["data"] for each in messages):
        messages += await client.until("output", id=job)
    return messages


async def _ended(client: Client, job: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await _info(client, job))["state"] != "ended":
            await client.ask({"type": "ping"})


async def test_later_output_arrives_marked(client: Client, gate: Latch) -> None:
    ran = await client.run(f"({gate}; echo late) & echo now")
    job = str(ran.last["id"])
    assert (ran.out, ran.code) == ("now\n", 0)
    assert "background" not in ran.of_type("output")[0]
    info = await _info(client, job)
    assert (info["state"], info["reason"], len(info["pids"])) == ("background", "exited", 1)
    assert is_alive(info["pids"][0])
    gate.open()
    (late,) = await _later_output(client, job, "late\n")
    assert (late["background"], late["end"]) == (True, ran.last["bytes"]["stdout"] + 5)
    await _ended(client, job)
    assert (await _info(client, job))["pids"] == []


async def test_a_process_without_our_pipes_counts(client: Client) -> None:
    ran = await client.run(f"{FOREVER} >/dev/null 2>&1 & echo $!")
    info = await _info(client, ran.last["id"])
    assert (info["state"], info["pids"]) == ("background", [int(ran.out)])
    os.kill(int(ran.out), 9)
    await _ended(client, ran.last["id"])


async def test_the_grandchildren_count_too(client: Client) -> None:
    ran = await client.run(f"(setsid sh -c '{FOREVER} & echo $!; {FOREVER} & echo $!')")
    pids = [int(word) for word in ran.out.split()]
    # A process is not recognised while it executes a program; it is found a moment later.
    async with asyncio.timeout(PATIENCE):
        while sorted((await _info(client, ran.last["id"]))["pids"]) != sorted(pids):
            await client.ask({"type": "ping"})
    assert (await client.ask({"type": "kill_session", "id": ran.last["id"]}))["type"] == "ack"
    await _ended(client, ran.last["id"])
    assert not any(is_alive(pid) for pid in pids)


async def test_no_process_gets_sigpipe(
    client: Client, daemon: Daemon, gate: Latch, tmp_path: Path
) -> None:
    other = await daemon.client()
    await other.run(f"({gate}; seq 100000; echo $? >{tmp_path}/status) & echo $BASHPID")
    # The process does not block after its client has disconnected either.
    await other.close()
    gate.open()
    await becomes(lambda: (tmp_path / "status").exists())
    await becomes(lambda: (tmp_path / "status").read_text() == "0\n")
    assert (await client.run("echo alive")).out == "alive\n"


async def test_two_writers(client: Client, gate: Latch) -> None:
    ran = await client.run(f"({gate}; seq 5000) & ({gate}; seq 5000 >&2) & echo now")
    gate.open(2)
    expected = "".join(f"{number}\n" for number in range(1, 5001))
    streams = {"stdout": "", "stderr": ""}
    while streams != {"stdout": expected, "stderr": expected}:
        message = (await client.until("output", id=ran.last["id"]))[-1]
        assert message["background"]
        streams[message["stream"]] += message["data"]


@pytest.mark.parametrize(("encoding", "texts"), [("base64", ["YeKC"]), ("utf-8", ["a", "\ufffd"])])
async def test_an_incomplete_character_at_the_end(
    client: Client, gate: Latch, encoding: str, texts: list[str]
) -> None:
    ran = await client.run(f"({gate}; printf 'a\\342\\202') &", encoding=encoding)
    gate.open()
    messages = await _later_output(client, ran.last["id"], texts[-1])
    assert [each["data"] for each in messages] == texts
    assert {each["end"] for each in messages} == {3}


async def test_output_is_discarded_beyond_thirty_two_jobs(
    own_daemon: Callable[..., Daemon], gate: Latch, tmp_path: Path
) -> None:
    daemon = own_daemon()
    client = await daemon.client()
    jobs = []
    for number in range(34):
        ran = await client.run(f"({gate}; seq 30000; echo $? >{tmp_path}/{number}) & :")
        jobs.append(str(ran.last["id"]))
    states = {each["id"]: each for each in (await client.ask({"type": "list_jobs"}))["jobs"]}
    assert [states[job]["state"] for job in jobs] == ["background"] * 34
    assert all(len(states[job]["pids"]) == 1 for job in jobs)
    gate.open(34)
    # No process blocks on writing, whether its output is kept or discarded.
    await becomes(lambda: all((tmp_path / str(number)).exists() for number in range(34)))
    await becomes(lambda: all((tmp_path / str(n)).read_text() == "0\n" for n in range(34)))
    for job in jobs:
        await _ended(client, job)
    infos = {each["id"]: each for each in (await client.ask({"type": "list_jobs"}))["jobs"]}
    length = sum(len(str(number)) + 1 for number in range(1, 30001))
    assert [infos[job]["end"] for job in jobs] == [0, 0] + [length] * 32
    await client.close()


async def test_a_flood_in_the_background_uses_one_buffer(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--buffer", str(MIB), "--max-clients", "2")
    client, other = await daemon.client(), await daemon.client()
    ran = await client.run("yes & yes >&2 & echo $!")
    before = psutil.Process(daemon.pid).memory_info().rss

    async def end() -> int:
        return int((await _info(other, ran.last["id"]))["end"])

    async with asyncio.timeout(PATIENCE):
        while await end() < 100 * MIB:
            assert (await other.run("echo here")).out == "here\n"
    assert psutil.Process(daemon.pid).memory_info().rss < before + 12 * MIB
    await other.ask({"type": "kill_session", "id": ran.last["id"]})
    await _ended(other, ran.last["id"])
    # The client has not read the output, so it would not see the answer to a close.
    client.ws.transport.abort()
    await other.close()


@pytest.mark.parametrize("redirect", ["", ">/dev/null"])
async def test_on_a_terminal(client: Client, redirect: str) -> None:
    ran = await client.run(f"trap '' HUP; {FOREVER} {redirect} & echo $!", is_pty=True)
    pid = int(ran.out.split()[-1])
    info = await _info(client, ran.last["id"])
    assert (info["state"], info["pids"]) == ("background", [pid])
    await client.ask({"type": "kill_session", "id": ran.last["id"]})
    await _ended(client, ran.last["id"])
    assert not is_alive(pid)
