"""``attach``: every byte after an offset once, or one exact gap, then the terminal message."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.server.observe import job_info, wait_no_client_connected
from tests.server.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

NUMBERS = "".join(f"{number}\n" for number in range(1, 20_001))


async def attached(client: Client, job: str, **fields: object) -> Message:
    """Attach and return the answer, which must not be an error."""
    answer = await client.ask({"type": "attach", "id": job, **fields})
    assert answer["type"] == "attached", answer
    return answer


async def refused(client: Client, message: Message) -> Message:
    """Send a message that is refused, and return the error."""
    error = await client.ask(message)
    assert (error["type"], error["operation"]) == ("error", message["type"])
    return error


async def test_attach_resumes_after_a_broken_connection(daemon: Daemon) -> None:
    old = await daemon.client("wanders")
    gate = daemon.home / "gate"
    job = await old.start(
        f"seq 10000; while [ ! -e {gate} ]; do sleep 0.01; done; seq 10001 20000; exit 3"
    )
    seen = (await old.until("output", id=job))[-1]
    old.ws.transport.abort()
    new = await daemon.client("wanders")
    info = next(each for each in new.status["jobs"] if each["id"] == job)
    assert (info["state"], info["client_id"]) == ("running", "wanders")
    answer = await attached(new, job, after=seen["end"])
    assert answer.items() >= {"after": seen["end"], "state": "running", "kind": "command"}.items()
    gate.touch()
    ran = await new.finish(job)
    assert seen["data"] + ran.out == NUMBERS
    assert (ran.code, ran.last["reason"]) == (3, "exited")
    await new.close()


@pytest.mark.parametrize("after", [0, 5, 9, 10])
async def test_attach_to_an_ended_job(client: Client, after: int) -> None:
    await client.run("echo 123456789", id=f"ended-{after}")
    answer = await attached(client, f"ended-{after}", after=after)
    assert {**answer, "request_id": ""} == {
        "type": "attached",
        "id": f"ended-{after}",
        "after": after,
        "end": 10,
        "state": "ended",
        "kind": "command",
        "cols": None,
        "rows": None,
        "request_id": "",
    }
    ran = await client.finish(f"ended-{after}")
    assert (ran.out, ran.code) == ("123456789\n"[after:], 0)
    assert (await client.ask({"type": "ping"}))["type"] == "pong"
    assert client.aside == []


async def test_after_past_the_end_is_refused(client: Client) -> None:
    await client.run("echo abc", id="short")
    error = await refused(client, {"type": "attach", "id": "short", "after": 5})
    assert error["code"] == "INVALID_MESSAGE"
    assert error["message"] == "after: expected at most 4, the end of the job's output, got 5"
    for message in ({"type": "read_output", "after": 5}, {"type": "credit", "end": 5}):
        error = await refused(client, {**message, "id": "short"})
        assert error["code"] == "INVALID_MESSAGE"


async def test_after_inside_a_character(client: Client) -> None:
    await client.run("printf 'aé€'", id="wide")
    for after, moved, rest in [
        (0, 0, "aé€"),
        (1, 1, "é€"),
        (2, 1, "é€"),
        (3, 3, "€"),
        (4, 3, "€"),
        (5, 3, "€"),
        (6, 6, ""),
    ]:
        assert (await attached(client, "wide", after=after))["after"] == moved
        assert (await client.finish("wide")).out == rest


async def test_own_ids_are_looked_up_first(daemon: Daemon) -> None:
    one, two, three = [await daemon.client() for _ in range(3)]
    await one.run("echo one", id="shared")
    await attached(three, "shared")
    assert (await three.finish("shared")).out == "one\n"
    await two.run("echo two", id="shared")
    assert (await refused(three, {"type": "attach", "id": "shared"}))["code"] == "NOT_FOUND"
    await attached(two, "shared")
    assert (await two.finish("shared")).out == "two\n"
    for kind in ("attach", "detach", "read_output"):
        assert (await refused(three, {"type": kind, "id": "no such"}))["code"] == "NOT_FOUND"
    for each in (one, two, three):
        await each.close()


async def test_a_second_attach_replaces_the_first(client: Client) -> None:
    job = await client.start("seq 20000; read", open_stdin=True)
    await client.output_until(job, "20000\n")
    for _ in range(3):
        await client.send({"type": "attach", "id": job})
    for _ in range(3):
        messages = await client.until("attached", id=job)
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await client.finish(job)
    assert messages[-1]["after"] == 0
    assert ran.out == NUMBERS


async def test_detach(daemon: Daemon, client: Client) -> None:
    job = await client.start("echo before; read; echo after; read", open_stdin=True)
    await client.output_until(job, "before\n")
    for _ in range(2):  # the second time the job is not followed
        assert (await client.ask({"type": "detach", "id": job}))["type"] == "ack"
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    page = await client.ask(
        {"type": "read_output", "id": job, "after": 7, "wait_ms": 20_000, "until": "after\n"}
    )
    assert [chunk["data"] for chunk in page["chunks"]] == ["after\n"]
    assert client.aside == []
    assert (await job_info(client, job))["state"] == "running"
    await attached(client, job, after=7)
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await client.finish(job)
    assert (ran.out, ran.code) == ("after\n", 0)


async def test_each_viewer_has_its_encoding(daemon: Daemon, client: Client) -> None:
    other = await daemon.client()
    job = await client.start(r"printf 'h\303\251\377'; read", open_stdin=True)
    await client.output_until(job, "hé")
    await attached(other, job, encoding="base64")
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    ran = await other.finish(job)
    assert base64.b64decode(ran.out) == b"h\xc3\xa9\xff"
    assert (await client.finish(job)).code == 0
    await other.close()


async def test_collected_output_has_the_encoding_of_its_job(client: Client) -> None:
    await client.run("printf 'a\\377'", collect=True, encoding="base64", id="collected")
    await attached(client, "collected")
    ran = await client.finish("collected")
    assert (ran.out, base64.b64decode(ran.last["stdout"])) == ("a\ufffd", b"a\xff")


async def test_live_output_begins_at_a_frame(daemon: Daemon) -> None:
    raw = await Raw.client(daemon, "watches")
    raw.send({"type": "execute", "id": "watched", "command": "yes", "max_output_bytes": 0})
    await raw.until("output")
    for _ in range(5):
        raw.send({"type": "detach", "id": "watched"})
        raw.send({"type": "attach", "id": "watched", "after": 0})
        live = (await raw.until("attached"))["end"]
        ends: list[int] = []
        while not ends or ends[-1] <= live:
            ends.append((await raw.until("output", "gap")).get("end", 0))
        assert live in ends
    raw.send({"type": "kill_session", "id": "watched"})
    await raw.until("result")


async def test_attach_to_a_queued_job(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "1", "--max-clients", "2")
    client, other = await daemon.client(), await daemon.client()
    first = await client.start("read", open_stdin=True)
    job = await client.start("echo ran")
    await client.until("command_queued", id=job)
    answer = await attached(other, job)
    assert (answer["state"], answer["end"]) == ("queued", 0)
    await client.send({"type": "send_input", "id": first, "data": "\n"})
    assert (await other.finish(job)).out == "ran\n"
    second = await client.start("read", open_stdin=True)
    waiting = await client.start("echo never")
    await client.until("command_queued", id=waiting)
    await attached(other, waiting)
    await client.send({"type": "cancel_command", "id": waiting})
    for each in (client, other):
        refusal = (await each.finish(waiting)).last
        assert (refusal["code"], refusal["operation"]) == ("CANCELLED", "execute")
    await client.send({"type": "kill_session", "id": second})
    await client.finish(second)
    await client.close()
    await other.close()


async def test_an_id_names_one_job_on_a_connection(daemon: Daemon, client: Client) -> None:
    other = await daemon.client()
    await other.start("read", open_stdin=True, id="theirs")
    await attached(client, "theirs")
    assert (await client.run("echo mine", id="theirs")).last["code"] == "DUPLICATE_ID"
    await client.ask({"type": "detach", "id": "theirs"})
    assert (await client.run("echo mine", id="theirs")).out == "mine\n"
    await other.send({"type": "kill_session", "id": "theirs"})
    await other.finish("theirs")
    await other.close()


async def test_attach_repeats_notices(client: Client, daemon: Daemon) -> None:
    gone = daemon.home / "gone"
    gone.mkdir()
    await client.run(f"cd {gone}; rmdir {gone}")
    ran = await client.run("echo here", id="noticed")
    assert [each["code"] for each in ran.of_type("notice")] == ["CWD_GONE"]
    await attached(client, "noticed")
    assert [each["type"] for each in (await client.finish("noticed")).messages] == [
        "notice",
        "output",
        "result",
    ]
    await attached(client, "noticed", after=5)
    assert [each["type"] for each in (await client.finish("noticed")).messages] == ["result"]


# Gaps --------------------------------------------------------------------------------------------

BUFFER = 65536


@pytest.mark.parametrize("over", [-1, 0, 1, 100_000])
async def test_unacknowledged_bytes_around_the_buffer(
    own_daemon: Callable[..., Daemon], over: int
) -> None:
    """Unacknowledged output that fits the buffer is complete; one byte more makes a gap of one."""
    daemon = own_daemon("--buffer", str(BUFFER))
    first = await daemon.client("leaves")
    gate = daemon.home / "gate"
    size = BUFFER + over
    text = "".join(chr(97 + at % 26) for at in range(size))
    (daemon.home / "text").write_text(text)
    job = await first.start(
        f"echo seen; while [ ! -e {gate} ]; do sleep 0.01; done; cat {daemon.home}/text"
    )
    seen = (await first.until("output", id=job))[-1]
    first.ws.transport.abort()
    await wait_no_client_connected(daemon)
    gate.touch()
    local = await daemon.client(local=True)
    while (await job_info(local, job))["state"] != "ended":
        await local.ask({"type": "ping"})
    second = await daemon.client("leaves")
    answer = await attached(second, job, after=seen["end"])
    assert answer["end"] == seen["end"] + size
    ran = await second.finish(job)
    gaps = [(each["from"], each["to"]) for each in ran.of_type("gap")]
    missing = max(0, over)
    assert gaps == ([(seen["end"], seen["end"] + missing)] if missing else [])
    assert ran.out == text[missing:]
    if missing:
        assert ran.messages[0]["type"] == "gap"
    for each in (local, second):
        await each.close()


async def test_a_gap_ends_at_a_character(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--buffer", "4096")
    client = await daemon.client()
    job = await client.start("read; printf '€%.0s' {1..2000}", open_stdin=True)
    await client.ask({"type": "detach", "id": job})
    await client.send({"type": "send_input", "id": job, "data": "\n"})
    await client.ask(
        {"type": "read_output", "id": job, "until": "never", "wait_ms": 20_000, "max_bytes": 10_000}
    )
    await attached(client, job)
    ran = await client.finish(job)
    (gap,) = ran.of_type("gap")
    assert (gap["from"], gap["to"] % 3) == (0, 0)
    assert 6000 - 4096 <= gap["to"] < 6000 - 4096 + 3
    assert ran.out == "€" * ((6000 - gap["to"]) // 3)
    await client.close()


async def test_collect_is_independent_of_the_buffer(own_daemon: Callable[..., Daemon]) -> None:
    client = await own_daemon("--buffer", "4096").client()
    ran = await client.run("printf '€%.0s' {1..20000}", collect=True)
    assert (ran.last["stdout"], ran.last["truncated"]) == ("€" * 20_000, False)
    await client.close()
