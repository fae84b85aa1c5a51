"""``shellwire shell`` and ``attach`` on a real terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire.client import Client
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import CommandLine
from tests.cli.terminal import Terminal
from tests.faults.proxy import Proxy
from tests.live import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon

# pexpect calls forkpty(3) in a process with threads. That is safe: exec follows at once.

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")


def job_id_in(text: bytes) -> str:
    """Return the id in the hint that shows how to attach again."""
    found = re.search(rb"attach (?:-H \S+ )?([0-9a-f]{12})`", text)
    assert found, text
    return found[1].decode()


def test_a_shell(here: CommandLine) -> None:
    with Terminal(here, "shell") as terminal:
        # Typed before there is a connection, let alone a prompt.
        terminal.type("echo typed $((40 + 2)) ahead\r")
        terminal.sees("typed 42 ahead")
        terminal.does("stty size", "30 100")
        terminal.child.setwinsize(20, 70)
        terminal.does("until [ \"$(stty size)\" = '20 70' ]; do :; done; echo res''ized", "resized")
        terminal.does("PS1='>''> '", ">> ")
        terminal.does("cat <(echo re''ading) -", "reading")
        terminal.type("line\r")
        terminal.sees("line\r\nline")
        terminal.child.sendcontrol("c")
        terminal.sees(">> ")
        terminal.does("echo code $?", "code 130")
        terminal.type("exit 7\r")
        assert terminal.exits() == 7


def test_the_terminal_is_restored(here: CommandLine) -> None:
    script = f"stty -g; {shlex.quote(sys.executable)} -m shellwire shell; echo; stty -g"
    with Terminal(here, "version") as terminal:
        terminal.begin(here, ["/bin/sh", "-c", script], 100, 30)
        terminal.sees("\r\n")
        before = terminal.child.before
        terminal.does("echo r''eady", "ready")
        terminal.type("\r~.")
        assert terminal.exits() == 0
        assert terminal.rest.split()[-1] == before


def test_detach_and_attach(here: CommandLine) -> None:
    with Terminal(here, "shell", "-C", "/usr") as terminal:
        terminal.does("A=kept; echo r''eady", "ready")
        terminal.type("\r~?")
        terminal.sees("detach")
        terminal.sees("a tilde")
        terminal.type("~.")
        assert terminal.exits() == 0
        job_id = job_id_in(terminal.rest)
        assert b"the job ends after 7 days without use" in terminal.rest
    with Terminal(here, "attach", job_id, cols=90, rows=25) as terminal:
        terminal.sees("ready")  # the retained output
        terminal.does('echo "$A in $PWD, $(stty size)"', "kept in /usr, 25 90")
        terminal.type("exit 5\r")
        assert terminal.exits() == 5


# When its terminal closes, the program may get a signal first, or an error on writing. Here it gets
# the error: the signals are blocked.
DEAF = """
import runpy, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGINT])
sys.argv = ["shellwire", "shell"]
runpy.run_module("shellwire", run_name="__main__")
"""


@pytest.mark.parametrize("program", [["-m", "shellwire", "shell"], ["-c", DEAF]])
def test_closing_the_terminal_detaches(here: CommandLine, program: list[str]) -> None:
    with Terminal(here, "version") as terminal:
        terminal.begin(here, [sys.executable, *program], 100, 30)
        terminal.does("echo r''eady $$", "ready ")
        terminal.sees("\r\n")
        pid = int(terminal.child.before)
        terminal.type("yes\r")
        terminal.sees("y\r\ny\r\n")
        terminal.child.ptyproc.fileobj.close()
        terminal.child.ptyproc.wait()  # the program ends without a signal
    os.kill(pid, 0)


def test_a_command_on_a_terminal(here: CommandLine) -> None:
    with Terminal(here, "exec", "-t", "stty size; cat; echo ended") as terminal:
        terminal.sees("30 100")
        terminal.type("~~.\r")
        terminal.sees("~.\r\n~.\r\n")
        terminal.child.sendcontrol("c")
        assert terminal.exits() == 130
    with Terminal(here, "exec", "-t", "-E", "echo begun; cat") as terminal:
        terminal.sees("begun\r\n")
        terminal.type("~.\r")  # -E: ordinary characters
        terminal.sees("~.\r\n~.\r\n")
        terminal.child.sendcontrol("c")
        assert terminal.exits() == 130
    with Terminal(here, "exec", "-t", "echo begun; cat") as terminal:
        terminal.sees("begun")
        terminal.type("~.")
        assert terminal.exits() == 0
        job_id = job_id_in(terminal.rest)
    with Terminal(here, "attach", job_id) as terminal:
        terminal.sees("begun")
        terminal.child.sendcontrol("c")
        assert terminal.exits() == 130
    assert "-E needs -t" in here.refused("exec", "-E", "true", code=2)
    with Terminal(here, "exec", "-t", "echo begun; sleep 100") as terminal:
        terminal.sees("begun")
        terminal.child.kill(signal.SIGTERM)
        assert terminal.exits() == 128 + signal.SIGTERM


@pytest.mark.long
def test_terminal_variables_are_sent(here: CommandLine) -> None:
    ours = {"TERM": "xterm-ours", "COLORTERM": "24bit", "LANG": "C.UTF-8", "LC_TIME": "C"}
    here.environment |= {**ours, "LC_ALL": "", "TERM_PROGRAM": "x"}
    context = f"term-{os.getpid()}"
    here.ok("exec", "-s", context, "export TERM=theirs LANG=theirs; unset LC_ALL")
    names = "TERM|COLORTERM|LANG|LC_[A-Z]*|TERM_PROGRAM"
    seen = f"env | grep -xE '({names})=.*' | sort | tr '\\n' ' '; echo e''nd"
    # The class Terminal sets TERM=xterm.
    brought = "COLORTERM=24bit LANG=C.UTF-8 LC_TIME=C TERM="
    for flags, shown in [
        ((), f"{brought}xterm end"),
        (("-s", context), f"{brought}xterm end"),  # the local variables override the context's
        (
            ("-e", "TERM=given", "-e", "LC_TIME="),
            "COLORTERM=24bit LANG=C.UTF-8 LC_TIME= TERM=given",
        ),
    ]:
        with Terminal(here, "exec", "-t", *flags, seen) as terminal:
            assert terminal.exits() == 0
            assert shown in terminal.rest.decode()
    with Terminal(here, "shell") as terminal:
        terminal.does(seen, f"{brought}xterm end")
        terminal.type("exit\r")
        assert terminal.exits() == 0
    # They apply to that job only, and not to jobs without a terminal.
    assert here.ok("exec", "-s", context, "echo $TERM $LANG $LC_TIME") == "theirs theirs\n"


async def test_a_lost_connection_is_restored(daemon: Daemon, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        await asyncio.to_thread(_work_through_cuts, cli, asyncio.get_running_loop(), proxy)


def _work_through_cuts(cli: CommandLine, loop: asyncio.AbstractEventLoop, proxy: Proxy) -> None:
    with Terminal(cli, "shell", "-H", "far") as terminal:
        terminal.does("echo r''eady", "ready")
        for number in range(3):
            loop.call_soon_threadsafe(proxy.cut, "rst")
            terminal.sees("broke off the connection; reconnecting")
            terminal.sees("reconnected")
            terminal.does(f"echo ans''wer {number}", f"answer {number}")
        # Like a closed laptop: the program is gone without a message to the daemon.
        os.kill(terminal.child.pid, signal.SIGKILL)
    job = _jobs(cli)[-1]
    with Terminal(cli, "attach", "-H", "far", job["id"]) as terminal:
        terminal.sees("ready")
        terminal.sees("answer 2")
        terminal.type("exit 3\r")
        assert terminal.exits() == 3


def _jobs(cli: CommandLine) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(cli.ok("jobs", "-H", "far", "--json"))
    return found


async def test_replies_to_a_replay_are_not_sent(here: CommandLine, daemon: Daemon) -> None:
    async with Client(daemon.url, token=daemon.token) as c:
        ask = "printf '\\033[6nasked'"
        job_id = await c.start(f"stty raw -echo; {ask}; cat -v", pty=True)
        await c.read_output(job_id, wait=PATIENCE, until="asked")
        await asyncio.to_thread(_answer_as_a_terminal, here, job_id)
        await c.kill(job_id)


def _answer_as_a_terminal(here: CommandLine, job_id: str) -> None:
    with Terminal(here, "attach", job_id) as terminal:
        terminal.sees(b"\x1b[6nasked")
        terminal.sees(b"\x1b[5n")  # a status request: its reply ends the replies to the replay
        terminal.type("\x1b[1;1Rkey\x1b[0n")
        assert terminal.sees("key") == b""
        terminal.type("\x1b[2;2R")
        assert terminal.sees("^[[2;2R") == b""  # a reply to live output is sent
        terminal.type("\r~.")
        assert terminal.exits() == 0


async def test_attach_to_a_job_without_a_terminal(here: CommandLine, daemon: Daemon) -> None:
    async with Client(daemon.url, token=daemon.token) as c:
        job_id = await c.start("echo out; while read line; do echo got $line; done; exit 6")
        await c.read_output(job_id, wait=PATIENCE, until="out")
        await asyncio.to_thread(_leave_by_interrupt, here, job_id)
        # End-of-file on our stdin does not end the job either.
        with here.begin("attach", job_id, stdin=-1, stdout=-1) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("b\n")
            process.stdin.close()
            lines = [await asyncio.to_thread(process.stdout.readline) for _ in range(3)]
            assert lines == ["out\n", "got a\n", "got b\n"]
            await c.send_input(job_id, close_stdin=True)
            assert await asyncio.to_thread(process.wait, 20) == 6


def _leave_by_interrupt(here: CommandLine, job_id: str) -> None:
    with Terminal(here, "attach", job_id) as terminal:
        terminal.sees("out")
        terminal.type("a\n")
        terminal.sees("got a")
        terminal.child.sendcontrol("c")
        assert terminal.exits() == 0
        assert job_id_in(terminal.rest) == job_id


@pytest.mark.long
@pytest.mark.parametrize("words", [("shell",), ("exec", "-t", "bash")])
@pytest.mark.parametrize("given", ["", "echo hi there\n"])
def test_an_input_that_ends_ends_a_shell(
    here: CommandLine, words: tuple[str, ...], given: str
) -> None:
    for _ in range(3):
        with here.begin(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            out, _ = process.communicate(given, PATIENCE)
        assert process.returncode == 0, out
        assert ("\nhi there" in out) is bool(given)
