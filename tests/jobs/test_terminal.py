"""Terminals: size, signals, end-of-file, echo, and complete output."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes, is_alive

if TYPE_CHECKING:
    from tests.live import Client, Daemon, Ran


def _lines(count: int) -> str:
    return "".join(f"{number}\r\n" for number in range(1, count + 1))


async def _pty(client: Client, command: str, **fields: object) -> Ran:
    return await client.run(command, is_pty=True, **fields)


async def test_size_and_name(client: Client) -> None:
    assert (await _pty(client, "stty size")).out == "24 80\r\n"
    assert (await _pty(client, "stty size", cols=1, rows=1)).out == "1 1\r\n"
    assert (await _pty(client, "stty size", cols=2000, rows=1000)).out == "1000 2000\r\n"
    ran = await _pty(client, "test -t 0 -a -t 1 -a -t 2; echo $?; ps -o tty= $$ | grep -c pts")
    assert ran.out == "0\r\n1\r\n"


async def test_term_has_a_default(client: Client) -> None:
    assert (await _pty(client, "echo $TERM", env={"TERM": "vt100"})).out == "vt100\r\n"
    await client.ask({"type": "set_context", "unset": ["TERM"]})
    assert (await _pty(client, "echo $TERM")).out == "xterm-256color\r\n"
    assert (await client.run("env | grep -c ^TERM=")).out == "0\n"


async def test_stderr_is_the_terminal_too(client: Client) -> None:
    ran = await _pty(client, "echo out; echo err >&2")
    assert (ran.out, ran.err) == ("out\r\nerr\r\n", "")


async def test_resize_is_signalled(client: Client) -> None:
    session = await client.session(
        use_pty=True, command="trap 'stty size' WINCH; echo up; while :; do sleep 0.01; done"
    )
    await client.output_until(session, "up")
    await client.send({"type": "resize", "id": session, "cols": 33, "rows": 7})
    await client.output_until(session, "7 33\r\n")
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert [(each["cols"], each["rows"]) for each in jobs if each["id"] == session] == [(33, 7)]
    await client.ask({"type": "kill_session", "id": session})


async def test_a_signal_goes_to_the_foreground_group(client: Client) -> None:
    session = await client.session(use_pty=True, command="bash --norc -i")
    line = "bash -c 'trap \"echo child; exit 3\" INT; echo u''p; while :; do sleep 0.01; done'\n"
    await client.send({"type": "send_input", "id": session, "data": line})
    await client.output_until(session, "up\r\n")
    await client.ask({"type": "signal", "id": session, "signal": "SIGINT"})
    await client.output_until(session, "child\r\n")
    await client.send({"type": "send_input", "id": session, "data": "echo code=$?\n"})
    await client.output_until(session, "code=3\r\n")
    await client.send({"type": "send_input", "id": session, "data": "exit 4\n"})
    ended = (await client.until("session_ended", id=session))[-1]
    assert (ended["exit_code"], ended["reason"]) == (4, "exited")


@pytest.mark.parametrize(
    ("data", "read"),
    [("one\n", "one\n"), ("one\ntwo", "one\ntwo"), ("one\r", "one\n"), ("é", "é"), ("x\4", "x")],
)
async def test_stdin_data_ends_with_end_of_file(client: Client, data: str, read: str) -> None:
    command = "stty -echo; printf '<%s>' \"$(cat; echo .)\"; read -t 0.1 x; echo $?"
    ran = await _pty(client, command, stdin_data=data)
    # Exactly one end-of-file followed: `read` has waited (bash(1), read -t).
    shown = read.replace("\n", "\r\n")
    assert ran.out.endswith(f"<{shown}.>142\r\n"), ran.out


async def test_closing_the_input_ends_cat_once(client: Client) -> None:
    session = await client.session(use_pty=True, command="cat; echo first; cat; echo second")
    for text in ("first", "second"):
        await client.send(
            {"type": "send_input", "id": session, "data": "line\n", "close_stdin": True}
        )
        seen = await client.output_until(session, text)
        assert seen.count("line") == 2
    ended = (await client.until("session_ended", id=session))[-1]
    assert ended["exit_code"] == 0


@pytest.mark.parametrize(
    "data", ["", "sleep 0.3\n", "cat\n", "bash --norc\n", "sleep 0.3; cat; stty raw; head -c 1\n"]
)
async def test_the_end_of_the_input_survives_a_change_of_mode(client: Client, data: str) -> None:
    for _ in range(3):
        # Sent before, during or after the first prompt, it always ends the input.
        job = await client.session(use_pty=True, command="bash --norc")
        await client.send({"type": "send_input", "id": job, "data": data, "close_stdin": True})
        ended = (await client.until("session_ended", id=job))[-1]
        assert ended["reason"] == "exited"


async def test_input_after_end_of_file_gets_no_second_one(client: Client) -> None:
    command = "stty -echo; cat; echo first; read x; stty raw; echo u''p; head -c 2 | od -An -c"
    job = await client.session(use_pty=True, command=command)
    await client.send({"type": "send_input", "id": job, "data": "", "close_stdin": True})
    await client.output_until(job, "first")
    await client.send({"type": "send_input", "id": job, "data": "line\n"})
    await client.output_until(job, "up")
    await client.send({"type": "send_input", "id": job, "data": "ab"})
    seen = await client.output_until(job, "b")
    assert seen.split() == ["a", "b"]


async def test_a_command_on_a_terminal_takes_input(client: Client) -> None:
    job = await client.start("read x; echo got:$x", is_pty=True)
    await client.send({"type": "send_input", "id": job, "data": "word\n"})
    assert (await client.finish(job)).out == "word\r\ngot:word\r\n"


async def test_nothing_is_echoed_but_the_input(client: Client) -> None:
    assert (await _pty(client, "printf x")).out == "x"
    assert (await _pty(client, ":", stdin_data="")).out == ""


async def test_two_hundred_short_runs_are_complete(client: Client) -> None:
    for _ in range(50):
        jobs = [await client.start("seq 1000", is_pty=True) for _ in range(4)]
        for job in jobs:
            assert (await client.finish(job)).out == _lines(1000)


async def test_a_long_output_is_complete(client: Client) -> None:
    assert (await _pty(client, "seq 20000")).out == _lines(20000)
    jobs = [await client.start("seq 20000; exec seq 5", is_pty=True) for _ in range(4)]
    expected = _lines(20000) + _lines(5)
    assert [(await client.finish(job)).out for job in jobs] == [expected] * 4


async def test_raw_input_is_untouched(client: Client) -> None:
    job = await client.start("stty raw -echo; echo up; head -c 256 | od -An -v -tu1", is_pty=True)
    await client.output_until(job, "up")
    data = base64.b64encode(bytes(range(256))).decode()
    await client.send({"type": "send_input", "id": job, "data": data, "encoding": "base64"})
    assert [int(word) for word in (await client.finish(job)).out.split()] == list(range(256))


async def test_end_of_input_then_no_activity(client: Client) -> None:
    # Once the mode is no longer polled, the terminal is closed at the exit.
    command = "printf 0123; sleep 1.2; exit 7"
    job = await client.start(command, is_pty=True, window=4, timeout=0)
    await client.send({"type": "send_input", "id": job, "data": "", "close_stdin": True})
    ran = await client.finish(job)
    assert (ran.out, ran.code, ran.last["reason"]) == ("0123", 7, "exited")


@pytest.mark.long
async def test_many_idle_jobs_after_the_end_of_their_input(either: Daemon) -> None:
    client = await either.client()
    command = "cat; sleep 0.8; exit 3"
    jobs = [
        await client.start(command, is_pty=True, stdin_data="x\n", timeout=0) for _ in range(32)
    ]
    for job in jobs:
        ran = await client.finish(job)
        assert (ran.out, ran.code) == ("x\r\nx\r\n", 3)
    await client.close()


def _processor_time(daemon: Daemon) -> float:
    with open(f"/proc/{daemon.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_LEAVES = "exec </dev/null >/dev/null 2>&1"


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (f"{_LEAVES}; sleep 1; exit 3", ""),
        (f"{_LEAVES}; sleep 1; echo x >/dev/tty; exit 3", "x\r\n"),
        (f"echo 1; {_LEAVES}; sleep 0.5; exec >/dev/tty; echo 2; exit 3", "1\r\n2\r\n"),
        ("exec 0<&- 1>&- 2>&-; sleep 0.5; exit 3", ""),
        (f"{_LEAVES}; exec sh -c 'sleep 0.5; exit 3'", ""),
    ],
)
async def test_a_job_that_leaves_its_terminal_continues(
    either: Daemon, ender: Client, command: str, output: str
) -> None:
    before = _processor_time(either)
    ran = await _pty(ender, command)
    assert (ran.out, ran.code, ran.last["reason"]) == (output, 3, "exited")
    # Repeated events of a terminal that no process has open would use all CPU time.
    assert _processor_time(either) - before < 0.4


async def test_a_session_that_leaves_its_terminal_continues(client: Client) -> None:
    job = await client.session(use_pty=True, command=f"{_LEAVES}; read -r x </dev/tty; exit $x")
    await client.send({"type": "send_input", "id": job, "data": "5\n"})
    ended = (await client.until("session_ended", id=job))[-1]
    assert (ended["exit_code"], ended["reason"]) == (5, "exited")


async def test_a_job_that_left_its_terminal_ends_for_our_reason(client: Client) -> None:
    command = f"trap '' TERM; {_LEAVES}; echo up >/dev/tty; {FOREVER}"
    job = await client.start(command, is_pty=True)
    await client.output_until(job, "up")
    await client.send({"type": "cancel_command", "id": job})
    result = (await client.finish(job)).last
    assert (result["reason"], result["signal"]) == ("cancelled", "SIGHUP")
    job = await client.session(
        use_pty=True, command=f"{_LEAVES}; echo up >/dev/tty; exec sleep 98765"
    )
    await client.output_until(job, "up")
    await client.send({"type": "kill_session", "id": job})
    assert (await client.until("session_ended", id=job))[-1]["reason"] == "killed"


@pytest.mark.parametrize("streams", ["", ">/dev/null 2>&1 </dev/null"])
async def test_background_processes_with_and_without_the_terminal(
    client: Client, streams: str
) -> None:
    command = f"(trap '' HUP; exec setsid {FOREVER} {streams}) & echo $!; sleep 0.1; exit 4"
    ran = await _pty(client, command)
    assert (ran.code, ran.last["reason"]) == (4, "exited")
    pid = int(ran.out)
    assert is_alive(pid)
    await client.ask({"type": "kill_session", "id": ran.last["id"]})
    await becomes(lambda: not is_alive(pid))
