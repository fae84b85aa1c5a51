"""Every way to end a job: all its processes end, and the result says what happened."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes, below, is_alive

if TYPE_CHECKING:
    from tests.live import Client, Daemon, Message

# Each prints "ready" when the processes to be ended run.
TREES = {
    "background children": f"{FOREVER} & {FOREVER} & echo ready; wait",
    "a session of its own": f"setsid {FOREVER} & sleep 0.05; echo ready; {FOREVER}",
    "a double fork": f"(setsid sh -c '{FOREVER} & {FOREVER} & sleep 0.05' &); sleep 0.1; "
    f"echo ready; {FOREVER}",
    "a stopped child": f"{FOREVER} & kill -STOP $!; echo ready; wait",
    "a stopped leader": "echo ready; kill -STOP $$",
    "no tag, no session": f"env -i setsid {FOREVER} & sleep 0.05; echo ready; {FOREVER}",
    "a pipeline": f"yes | cat | {{ echo ready; {FOREVER}; }}",
}
STUBBORN = {
    "TERM is ignored": f"trap '' TERM; {FOREVER} & echo ready; while :; do {FOREVER}; done",
    "no tag, TERM is ignored": "env -i setsid bash -c "
    f"'trap \"\" TERM; echo ready; while :; do {FOREVER}; done' & {FOREVER}",
}


async def _end(client: Client, command: str, how: str) -> Message:
    job = await client.start(command, timeout=0.5 if how == "timed_out" else 0)
    await client.output_until(job, "ready")
    if how == "cancelled":
        await client.send({"type": "cancel_command", "id": job})
    elif how == "killed":
        await client.send({"type": "kill_session", "id": job})
    return (await client.finish(job)).last


@pytest.mark.parametrize("tree", TREES)
async def test_the_whole_tree_ends(either: Daemon, ender: Client, tree: str) -> None:
    result = await _end(ender, TREES[tree], "cancelled")
    assert below(either) == []
    assert (result["type"], result["reason"]) == ("result", "cancelled")
    assert (result["exit_code"], result["signal"]) == (-15, "SIGTERM")


@pytest.mark.parametrize("how", ["killed", "timed_out"])
async def test_each_request_that_ends_a_job(either: Daemon, ender: Client, how: str) -> None:
    result = await _end(ender, TREES["a double fork"], how)
    assert below(either) == []
    assert (result["reason"], result["signal"]) == (how, "SIGTERM")


async def _full_terminal(client: Client) -> str:
    session = await client.session(use_pty=True, command="bash --norc -i")
    lines = (
        f"{FOREVER} &",
        f"{FOREVER} | cat &",
        f"setsid {FOREVER} &",
        f"nohup {FOREVER} >/dev/null &",
        f"(trap '' TERM HUP; {FOREVER}) &",
        f"{FOREVER} & kill -STOP $!",
        "echo all''set",
        FOREVER,
    )
    for line in lines:
        await client.send({"type": "send_input", "id": session, "data": line + "\n"})
    await client.output_until(session, "allset")
    return session


async def test_a_job_that_ignores_term_is_killed(either: Daemon, ender: Client) -> None:
    jobs = [await ender.start(command) for command in STUBBORN.values()]
    for job in jobs:
        await ender.output_until(job, "ready")
    jobs.append(await _full_terminal(ender))
    begun = time.monotonic()
    for job in jobs:
        await ender.send({"type": "kill_session", "id": job})
    ended = [(await ender.until("result", "session_ended", id=job))[-1] for job in jobs]
    assert below(either) == []
    assert {each["reason"] for each in ended} == {"killed"}
    assert [each["signal"] for each in ended[:2]] == ["SIGKILL", "SIGTERM"]
    # Not before the grace period was over.
    assert time.monotonic() - begun >= 2


async def test_an_idle_interactive_shell_heeds_the_hangup(client: Client) -> None:
    session = await client.session(use_pty=True)
    await client.send({"type": "send_input", "id": session, "data": "echo re''ady\n"})
    await client.output_until(session, "ready")
    await client.send({"type": "kill_session", "id": session})
    ended = (await client.until("session_ended", id=session))[-1]
    assert (ended["reason"], ended["exit_code"], ended["signal"]) == ("killed", -1, "SIGHUP")


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        (f"trap 'sleep 0.3; echo bye' EXIT; echo ready; {FOREVER}", "ready\nbye\n", -15),
        (
            f"trap 'sleep 0.3; echo caught; exit 7' TERM; echo ready; {FOREVER} & wait",
            "ready\ncaught\n",
            7,
        ),
        (
            "trap 'seq 20000; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
            "ready\n" + "".join(f"{number}\n" for number in range(1, 20001)),
            3,
        ),
    ],
)
async def test_a_trap_has_time_to_run_and_its_output_arrives(
    client: Client, command: str, output: str, code: int
) -> None:
    job = await client.start(command)
    text = await client.output_until(job, "ready\n")
    await client.send({"type": "cancel_command", "id": job})
    ran = await client.finish(job)
    assert text + ran.out == output
    assert (ran.last["reason"], ran.code) == ("cancelled", code)


async def test_the_first_reason_wins(client: Client) -> None:
    job = await client.start(f"trap 'sleep 0.3; exit' TERM; echo ready; {FOREVER}", timeout=0.1)
    await client.output_until(job, "ready")
    await client.send({"type": "cancel_command", "id": job})
    await client.send({"type": "kill_session", "id": job})
    result = (await client.finish(job)).last
    assert result["reason"] == "cancelled"


async def test_a_leader_that_exits_while_its_tree_is_ended(either: Daemon, ender: Client) -> None:
    command = f"trap 'exit 5' TERM; (trap 'sleep 0.3' TERM; {FOREVER}) & echo ready; wait"
    result = await _end(ender, command, "cancelled")
    assert (result["reason"], result["exit_code"]) == ("cancelled", 5)
    # The outcome was sent only after all processes had ended.
    assert below(either) == []


@pytest.mark.parametrize(
    ("command", "code", "name"),
    [
        ("exit 0", 0, None),
        ("exit 255", 255, None),
        ("kill -9 $$", -9, "SIGKILL"),
        ("kill -TERM $$", -15, "SIGTERM"),
        ("kill -HUP $$; echo no", -1, "SIGHUP"),
        ("bash -c 'kill -9 $$'", 137, None),
        ("(kill -USR1 $BASHPID); exit $?", 138, None),
        ("kill -RTMIN+3 $$", -37, "SIG37"),
        ("exec kill -SEGV 0", -11, "SIGSEGV"),
        ("no-such-program", 127, None),
        ("/etc/passwd", 126, None),
        ("exec /bin/false", 1, None),
    ],
)
async def test_exit_code_and_signal(
    client: Client, command: str, code: int, name: str | None
) -> None:
    result = (await client.run(command)).last
    assert (result["exit_code"], result["signal"], result["reason"]) == (code, name, "exited")


async def test_a_timeout_below_a_second(client: Client) -> None:
    result = (await client.run(FOREVER, timeout=0.05)).last
    assert result["reason"] == "timed_out"
    assert result["duration_ms"] >= 50


async def test_timeout_zero_is_none(client: Client) -> None:
    result = (await client.run("sleep 0.1; exit 3", timeout=0)).last
    assert (result["exit_code"], result["reason"]) == (3, "exited")


async def test_a_thousand_processes_end_without_delaying_others(
    either: Daemon, ender: Client
) -> None:
    other = await either.client()
    job = await ender.start(f"for i in {{1..1000}}; do {FOREVER} & done; echo ready; wait")
    await ender.output_until(job, "ready")
    before = either.descriptors()
    await ender.send({"type": "cancel_command", "id": job})
    ended = asyncio.create_task(ender.finish(job))
    answers = 0
    while not ended.done():
        assert (await other.ask({"type": "ping"}))["type"] == "pong"
        answers += 1
        # With one descriptor per process the daemon would exceed its limit.
        assert either.descriptors() < before + 100
    assert answers > 5
    assert (await ended).last["reason"] == "cancelled"
    assert below(either) == []
    await other.close()


async def test_processes_started_during_an_ending_end_too(either: Daemon, ender: Client) -> None:
    command = "f() { while :; do sleep 0.001 & sleep 0.001; done; }; f & f & echo ready; wait"
    assert (await _end(ender, command, "killed"))["reason"] == "killed"
    assert below(either) == []


async def test_ending_background_processes(either: Daemon, ender: Client) -> None:
    ran = await ender.run(f"echo $BASHPID; {FOREVER} & echo $!; exit 0")
    left = int(ran.out.split()[1])
    assert is_alive(left)
    job = str(ran.last["id"])
    assert (await ender.ask({"type": "cancel_command", "id": job}))["code"] == "NOT_FOUND"
    assert (await ender.ask({"type": "kill_session", "id": job}))["type"] == "ack"
    await becomes(lambda: not is_alive(left))
    await becomes(lambda: below(either) == [])
