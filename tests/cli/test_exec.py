"""``shellwire exec``: streams, signals, exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.cli.outcome import low_byte
from shellwire.home.hosts import Host, save_host
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine, ended
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live import Daemon


def ran(here: CommandLine, *words: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run ``shellwire exec``; return its exit code, stdout and stderr."""
    done = here.in_bytes("exec", *words, stdin=stdin)
    return done.returncode, done.stdout, done.stderr


def test_streams_and_exit_code(here: CommandLine) -> None:
    assert ran(here, "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_one_argument_is_text_and_several_are_words(here: CommandLine) -> None:
    assert ran(here, "echo a  b | tr a c")[1] == b"c b\n"
    assert ran(here, "--", "printf", "[%s]", "a  b", "$HOME", "", "'")[1] == b"[a  b][$HOME][][']"
    assert ran(here, "echo", "-e", "-s")[1] == b"-s\n"  # options after the command belong to it


def test_bytes_are_bytes(here: CommandLine) -> None:
    content = os.urandom(2_000_000)
    assert ran(here, "tee /dev/stderr", stdin=content) == (0, content, content)


def test_incomplete_characters_are_not_held_back(here: CommandLine) -> None:
    words = ("exec", r"printf 'ab\342'; read; printf '\202\254'")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ended(here.begin(*words, **pipes)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        seen = b""
        while len(seen) < 3:  # the command then waits for input
            seen += os.read(process.stdout.fileno(), 3 - len(seen))
        assert seen == b"ab\xe2"
        process.stdin.write("\n")
        process.stdin.flush()
        while piece := os.read(process.stdout.fileno(), 100):
            seen += piece
        assert (seen, process.wait(SECONDS)) == ("ab€".encode(), 0)


@pytest.mark.long
def test_options(here: CommandLine) -> None:
    where = ("-C", "/usr", "-e", "A=b=c", "-e", "B=")
    assert ran(here, *where, 'pwd; echo "$A[$B]"')[1] == b"/usr\nb=c[]\n"
    context = f"exec-{os.getpid()}"
    assert ran(here, "-s", context, "cd /var; export KEPT=1")[0] == 0
    assert ran(here, "-s", context, "pwd; echo $KEPT")[1] == b"/var\n1\n"
    assert b"'abc' is not a valid number of seconds" in ran(here, "--timeout", "abc", ":")[2]
    code, _, err = ran(here, "--timeout", "0.2", "sleep 100")
    assert (code, err) == (124, b"shellwire: timed out\n")


def test_a_signal_is_128_plus_its_number(here: CommandLine) -> None:
    assert ran(here, "kill -KILL $$")[0] == 137


def test_failed_starts(here: CommandLine) -> None:
    code, out, err = ran(here, "-C", "/no/such", "true")
    assert (code, out) == (255, b"")
    assert err == b"Error: cwd /no/such: there is no such directory\n"


def test_commands_do_not_see_the_token(here: CommandLine, daemon: Daemon) -> None:
    done = here("exec", "env", env={"SHELLWIRE_URL": daemon.url, "SHELLWIRE_TOKEN": daemon.token})
    assert done.returncode == 0
    assert "SHELLWIRE_URL" not in done.stdout
    assert "SHELLWIRE_TOKEN" not in done.stdout


@contextlib.contextmanager
def begun(here: CommandLine, command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Start ``exec``, and yield its process once the command has printed a line."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    with here.begin("exec", f"echo begun; {command}", **pipes) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def test_an_interrupt_is_the_commands(here: CommandLine) -> None:
    with begun(here, "trap 'echo caught; exit 9' INT; echo set; read", stdin=-1) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "set\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "caught\n"
        assert process.wait(SECONDS) == 9


def test_the_second_interrupt_ends_it(here: CommandLine) -> None:
    stubborn = "trap 'echo caught' INT; echo set; while :; do sleep 0.01; done"
    with begun(here, stubborn) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "set\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "caught\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
        assert (process.returncode, err) == (143, "shellwire: killed\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_command(here: CommandLine, number: signal.Signals) -> None:
    with begun(here, "sleep 100") as process:
        process.send_signal(number)
        assert process.wait(SECONDS) == 143


def test_a_reader_that_leaves_ends_it(here: CommandLine) -> None:
    with begun(here, "echo $$; yes") as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.stdout.close()
        assert process.wait(SECONDS) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_full_disk_is_reported(here: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "exec", "echo hi"],
            env=here.environment,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
        )
    assert done.stderr == b"Error: can't write the output: No space left on device\n"
    assert done.returncode == 1


async def test_a_lost_connection_is_restored(daemon: Daemon, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        command = "echo once >>runs; seq 200000; read line; echo $line; exit 4"
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "exec", "-H", "far", "-C", str(tmp_path), command),
            env=cli.environment,
            stdin=-1,
            stdout=-1,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        lines = [await process.stdout.readline()]
        for _ in range(3):
            proxy.cut("rst")
            lines += [await process.stdout.readline() for _ in range(50_000)]
        lines += [await process.stdout.readline() for _ in range(49_999)]
        assert b"".join(lines) == b"".join(b"%d\n" % number for number in range(1, 200_001))
        process.stdin.write(b"more\n")
        out, _ = await process.communicate()
        assert out == b"more\n"
        assert process.returncode == 4
        assert (tmp_path / "runs").read_text() == "once\n"


async def test_signals_end_us_without_a_connection(daemon: Daemon, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "home")
    async with Proxy(daemon.url) as proxy:
        save_host(cli.home, "far", Host(proxy.url, daemon.token))
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "exec", "-H", "far", "echo begun; sleep 100"),
            env=cli.environment,
            stdin=subprocess.DEVNULL,
            stdout=-1,
            stderr=-1,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.readline() == b"begun\n"
        await proxy.stop()
        assert b"reconnecting" in await process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert b"keeps running on the host" in err


# Jobs --------------------------------------------------------------------------------------------


def row(here: CommandLine, job_id: str) -> list[str]:
    """Return a job's columns in the table of ``jobs``, without id and name."""
    head, *lines = here.ok("jobs").splitlines()
    (line,) = [line for line in lines if line.startswith(job_id)]
    return line.split()[2 if "NAME" in head else 1 :]


@pytest.mark.long
def test_jobs_kill_and_logs(here: CommandLine) -> None:
    with begun(here, "printf 'h\\377' >&2; sleep 100", stderr=subprocess.DEVNULL) as process:
        job = json.loads(here.ok("jobs", "--json"))[-1]
        job_id = job["id"]
        assert job["command"].startswith("echo begun")
        assert row(here, job_id)[0] == "running"
        with here.begin("logs", "-f", job_id, stdout=-1, stderr=-3) as following:
            assert following.stdout is not None
            assert following.stdout.readline() == "begun\n"
            here.ok("kill", job_id)
            assert following.wait(SECONDS) == 0
        assert process.wait(SECONDS) == 143
    logs = here.in_bytes("logs", job_id)
    assert (logs.stdout, logs.stderr) == (b"begun\n", b"h\xff")
    assert row(here, job_id)[:2] == ["killed", "SIGTERM"]
    assert here.refused("kill", job_id) == f"Error: command {job_id} has ended\n"


def test_a_lost_job_is_lost_by_no_signal(cli: CommandLine) -> None:
    started = cli.start("--max-clients", "2")
    with begun(cli, "sleep 100", stderr=subprocess.DEVNULL) as process:
        os.kill(started["pid"], signal.SIGKILL)
        cli.start()
        assert process.wait(SECONDS) == 255
    assert [line.split()[1] for line in cli.ok("jobs").splitlines()] == ["STATE", "lost"]
    assert "SIGHUP" not in cli.ok("jobs")


@pytest.mark.parametrize(
    ("there", "here"), [(0, 0), (7, 7), (255, 255), (256, 255), (0xC0000005, 5)]
)
def test_an_exit_code_that_no_process_here_can_have(there: int, here: int) -> None:
    assert low_byte(there) == here
