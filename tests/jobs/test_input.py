"""Input: bounded, cheap in small pieces, exact in large ones."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes

if TYPE_CHECKING:
    from tests.live import Client

MIB = 1024 * 1024


async def test_stdin_data_of_ten_megabytes(client: Client) -> None:
    ran = await client.run("wc -c; echo done", stdin_data="x" * 10_000_000)
    assert ran.out == "10000000\ndone\n"


async def test_stdin_data_holds_any_character(client: Client) -> None:
    text = "\0é\n€\x1b\x7f😀"
    ran = await client.run("sha256sum", stdin_data=text)
    assert ran.out.split()[0] == hashlib.sha256(text.encode()).hexdigest()


async def test_without_input_stdin_is_at_end_of_file(client: Client) -> None:
    assert (await client.run("cat; echo end")).out == "end\n"
    assert (await client.run("cat; echo end", stdin_data="")).out == "end\n"


async def test_a_lock_on_that_stdin_ends_with_the_command(client: Client) -> None:
    """A lock belongs to the open file, which must not be the daemon's (flock(2))."""
    assert (await client.run("flock 0")).code == 0

    def is_free() -> bool:
        with open(os.devnull) as null:
            try:
                fcntl.flock(null, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    await becomes(is_free)


async def test_open_stdin_continues_after_stdin_data(client: Client) -> None:
    job = await client.start("cat; echo end", stdin_data="first,", open_stdin=True)
    await client.output_until(job, "first,")
    await client.send({"type": "send_input", "id": job, "data": "second,"})
    await client.output_until(job, "second,")
    await client.send({"type": "send_input", "id": job, "data": "last,", "close_stdin": True})
    assert (await client.finish(job)).out == "last,end\n"


async def test_base64_with_every_byte(client: Client) -> None:
    data = bytes(range(256)) * 4096
    job = await client.start("cat", open_stdin=True, encoding="base64")
    await client.send(
        {
            "type": "send_input",
            "id": job,
            "data": base64.b64encode(data).decode(),
            "encoding": "base64",
            "close_stdin": True,
        }
    )
    ran = await client.finish(job)
    assert b"".join(base64.b64decode(each["data"]) for each in ran.of_type("output")) == data


async def test_many_small_pieces(client: Client) -> None:
    job = await client.start("echo up; wc -c", open_stdin=True)
    for _ in range(5000):
        await client.send({"type": "send_input", "id": job, "data": "x"})
    await client.send({"type": "send_input", "id": job, "data": "", "close_stdin": True})
    assert (await client.finish(job)).out.split() == ["up", "5000"]


async def test_a_process_that_never_reads(client: Client) -> None:
    job = await client.start(FOREVER, open_stdin=True)
    answers = [
        await client.ask({"type": "send_input", "id": job, "data": "x" * MIB}) for _ in range(6)
    ]
    codes = [each.get("code", each["type"]) for each in answers]
    # The kernel's pipe takes some of it.
    assert codes == ["ack"] * 4 + ["INPUT_FULL"] * 2
    assert (await client.ask({"type": "cancel_command", "id": job}))["type"] == "ack"
    assert (await client.finish(job)).last["reason"] == "cancelled"


async def test_accepted_input_arrives_when_it_is_read(client: Client) -> None:
    job = await client.start("read line; echo up; wc -c", open_stdin=True)
    for _ in range(3):
        answer = await client.ask({"type": "send_input", "id": job, "data": "x" * MIB})
        assert answer["type"] == "ack"
    await client.send({"type": "send_input", "id": job, "data": "\nrest", "close_stdin": True})
    assert (await client.finish(job)).out.split() == ["up", "4"]


async def test_a_process_that_exits_before_it_reads(client: Client) -> None:
    ran = await client.run("exit 6", stdin_data="x" * 10_000_000)
    assert (ran.code, ran.last["reason"]) == (6, "exited")


async def test_a_process_that_closes_its_input(client: Client) -> None:
    job = await client.start(f"exec <&-; echo up; {FOREVER}", open_stdin=True)
    await client.output_until(job, "up")
    message = {"type": "send_input", "id": job, "data": "x"}
    # The first one finds the pipe broken.
    await client.ask(message)
    assert (await client.ask(message))["code"] == "SESSION_ERROR"
    await client.ask({"type": "cancel_command", "id": job})


@pytest.mark.parametrize("command", ["cat", "sleep 1"])
async def test_input_for_a_command_without_open_stdin(client: Client, command: str) -> None:
    job = await client.start(f"echo up; sleep 0.2; {command}", stdin_data="some")
    await client.output_until(job, "up")
    answer = await client.ask({"type": "send_input", "id": job, "data": "x"})
    assert (answer["code"], answer["operation"]) == ("SESSION_ERROR", "send_input")
    await client.ask({"type": "cancel_command", "id": job})


async def test_input_after_its_end(client: Client) -> None:
    job = await client.start("cat >/dev/null; sleep 0.2", open_stdin=True)
    close = {"type": "send_input", "id": job, "data": "", "close_stdin": True}
    assert (await client.ask(close))["type"] == "ack"
    assert (await client.ask(close))["code"] == "SESSION_ERROR"
    await client.finish(job)
