"""Signals and keys that end `exec`, `shell` and `attach`, in every state that these can be in."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine, ended
from tests.cli.terminal import Terminal
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live import Daemon

# pexpect calls forkpty(3) in a process with threads. That is safe: exec follows at once.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

HINT = "a command started with `exec -d` keeps running when its terminal closes"
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.fixture
def busy(cli: CommandLine) -> Iterator[CommandLine]:
    """Yield a command line whose daemon has one slot, which a command holds."""
    cli.start("--max-processes", "1")
    with ended(cli.begin("exec", "echo up; sleep 1000", stdout=-1)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        yield cli


# Queued ------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("words", [("exec",), ("exec", "-t")], ids="-".join)
def test_a_queued_command_is_cancelled(busy: CommandLine, words: tuple[str, ...]) -> None:
    for number in SIGNALS:
        with Terminal(busy, *words, "true") as terminal:
            terminal.sees("queued at position 1")
            terminal.child.kill(number)
            assert terminal.exits() == 128 + number
            hint = f"; {HINT}" if number == signal.SIGHUP else ""
            assert lines(terminal.rest) == [f"shellwire: cancelled while queued{hint}"]
    with Terminal(busy, *words, "true") as terminal:
        terminal.sees("queued at position 1")
        terminal.child.sendcontrol("c")  # raw mode: the key cancels, although it sends no SIGINT
        assert terminal.exits() == 130
        assert lines(terminal.rest)[-1] == "shellwire: cancelled while queued"
    assert "queued" not in busy.ok("jobs")


@pytest.mark.long
def test_a_queued_command_without_any_terminal(busy: CommandLine) -> None:
    for number in SIGNALS:
        with ended(busy.begin("exec", "-t", "true", stdin=-1, stdout=-1, stderr=-1)) as process:
            until_queued(busy, 1)
            process.send_signal(number)
            _, err = process.communicate(timeout=SECONDS)
        assert process.returncode == 128 + number
        assert err.startswith("shellwire: cancelled while queued")
        assert err.count("\n") == 1


@pytest.mark.long
def test_detaching_from_a_queued_command(busy: CommandLine) -> None:
    with Terminal(busy, "exec", "-t", "true") as terminal:
        terminal.sees("queued at position 1")
        terminal.type("~.")
        assert terminal.exits() == 0
        assert b"detached" in terminal.rest
    until_queued(busy, 1)
    with Terminal(busy, "attach") as terminal:
        terminal.sees("queued at position 1")
        terminal.child.kill(signal.SIGTERM)
        assert terminal.exits() == 0
    until_queued(busy, 1)


@pytest.mark.long
def test_the_place_in_the_queue_is_shown_until_the_command_runs(busy: CommandLine) -> None:
    first = busy.ok("exec", "-d", "true").strip()
    with Terminal(busy, "exec", "echo begun; sleep 1000") as terminal:
        terminal.sees("queued at position 2")
        busy.ok("kill", first)
        terminal.sees("queued at position 1")
        busy.ok("kill", json.loads(busy.ok("jobs", "--json"))[0]["id"])
        # The status line is erased before the output begins.
        erased = terminal.sees("begun").rpartition(b"\r")
        assert erased[2] == b""
        assert erased[0].rpartition(b"\r")[2].strip() == b""


@pytest.mark.long
def test_nothing_is_shown_off_a_terminal(busy: CommandLine) -> None:
    with ended(busy.begin("exec", "echo ran", stdin=-3, stdout=-1, stderr=-1)) as process:
        until_queued(busy, 1)
        busy.ok("kill", json.loads(busy.ok("jobs", "--json"))[0]["id"])
        assert process.communicate(timeout=SECONDS) == ("ran\n", "")


# Connecting --------------------------------------------------------------------------------------


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[CommandLine]:
    """Yield a command line with a host ``deaf`` that accepts connections but never answers."""
    cli = CommandLine(tmp_path / "home")
    with socket.create_server(("127.0.0.1", 0)) as server:
        save_host(cli.home, "deaf", Host(f"ws://127.0.0.1:{server.getsockname()[1]}/ws", "x"))
        yield cli


@pytest.mark.long
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_it_connects(deaf: CommandLine, number: signal.Signals) -> None:
    for words in (("exec", "true"), ("shell",)):
        with Terminal(deaf, words[0], "-H", "deaf", *words[1:]) as terminal:
            terminal.sees("connecting to ws://127.0.0.1:")
            terminal.child.kill(number)
            assert terminal.exits() == 128 + number
            (line,) = lines(terminal.rest)[-1:]
            assert line.startswith(f"shellwire: ended by {number.name}")


# Running -----------------------------------------------------------------------------------------


def test_sighup_prints_a_hint_at_d(here: CommandLine) -> None:
    with ended(here.begin("exec", "echo up; sleep 1000", stdout=-1, stderr=-1)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, err) == (143, f"shellwire: killed; {HINT}\n")


def test_ignored_signals_stay_ignored(here: CommandLine) -> None:
    words = shlex.join([*PROGRAM, "exec", "echo up; read x; echo $x"])
    shell = ["sh", "-c", f"trap '' HUP; exec {words}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ended(subprocess.Popen(shell, env=here.environment, text=True, **pipes)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate("on\n", SECONDS)[0] == "on\n"
        assert process.returncode == 0


@pytest.mark.long
def test_a_stuck_reader_does_not_delay_the_exit(here: CommandLine) -> None:
    with ended(here.begin("exec", "echo up; yes", stdin=-3, stdout=-1, stderr=-1)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) in (143, -signal.SIGTERM)


@pytest.mark.parametrize("words", [("exec", "-t", "echo up; sleep 1000"), ("shell",)])
def test_the_second_signal_is_the_last(here: CommandLine, words: tuple[str, ...]) -> None:
    with Terminal(here, *words) as terminal:
        if words[0] == "shell":
            terminal.does("echo u''p", "up")
        else:
            terminal.sees("up")
        terminal.child.kill(signal.SIGTERM)
        terminal.child.kill(signal.SIGTERM)
        assert terminal.exits() in (0, 143, -signal.SIGTERM)


# Cut off -----------------------------------------------------------------------------------------

CTRL_C = "\x03"


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "ending", "code", "line"),
    [
        (("exec", "-t"), signal.SIGTERM, 143, "no connection: job"),
        (("exec", "-t"), signal.SIGHUP, 129, HINT),
        (("exec", "-t"), CTRL_C, 130, "no connection: job"),
        (("exec", "-t"), "\r~.", 0, "detached"),
        (("exec", "-t", "-E"), CTRL_C, 130, "no connection: job"),
        (("shell",), CTRL_C, 0, "detached"),
        (("shell",), signal.SIGTERM, 0, "detached"),
    ],
)
async def test_leaving_without_a_connection(
    daemon: Daemon,
    tmp_path: Path,
    words: tuple[str, ...],
    ending: signal.Signals | str,
    code: int,
    line: str,
) -> None:
    cli = CommandLine(tmp_path / "home")
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        with Terminal(cli, words[0], "-H", "far", *words[1:], *COMMAND[words[0]]) as terminal:
            await asyncio.to_thread(begin, terminal, words[0])
            await proxy.stop()
            await asyncio.to_thread(terminal.sees, "reconnecting")
            if isinstance(ending, str):
                for _ in range(3 if ending == CTRL_C else 1):
                    terminal.type(ending)
            else:
                terminal.child.kill(ending)
            assert await asyncio.to_thread(terminal.exits) == code
            assert line in lines(terminal.rest)[-1]


COMMAND = {"exec": ("echo begun; sleep 1000",), "shell": ()}


def begin(terminal: Terminal, name: str) -> None:
    """Wait until the job runs."""
    if name == "shell":
        terminal.does("echo beg''un", "begun")
    else:
        terminal.sees("begun")


# Importing ---------------------------------------------------------------------------------------


def test_ctrl_c_while_we_are_imported_is_no_traceback() -> None:
    script = """
import builtins, os, signal
real = builtins.__import__
def late(name, *rest):
    if name == "click":
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *rest)
builtins.__import__ = late
import shellwire.cli
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
    then = "import shellwire.cli, signal; print(signal.getsignal(2) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", then], capture_output=True, check=False)
    assert done.stdout == b"True\n"


# Help --------------------------------------------------------------------------------------------


def lines(seen: bytes) -> list[str]:
    """Return the lines that a terminal shows, without overwritten text."""
    shown = [line.rpartition("\r")[2] for line in seen.decode().replace("\r\n", "\n").split("\n")]
    return [line for line in (each.strip("\r ") for each in shown) if line]


def until_queued(cli: CommandLine, count: int) -> None:
    """Return when ``count`` commands are queued; polls without a pause."""
    while [job["state"] for job in json.loads(cli.ok("jobs", "--json"))].count("queued") != count:
        pass
