"""The examples work, and the longer ones report each failure in one line."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from shellwire.home.clients import Clients
from shellwire.home.paths import Home
from tests.docs.example import SECONDS, Example, made

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.live import Daemon

USAGE = "[-i] COMMAND, with SHELLWIRE_URL and SHELLWIRE_TOKEN set"


@pytest.fixture(params=["python", "javascript"])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Example:
    """Return an example without a daemon."""
    return made(request.param, "run", tmp_path)


@pytest.fixture
def start(own_daemon: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """Return a function that starts a daemon with the default limit of one client."""
    return partial(own_daemon, "--grace", "0")


@pytest.fixture
def run(example: Example, daemon: Daemon) -> Iterator[Example]:
    """Yield an example that uses the shared daemon."""
    example.calls(daemon)
    yield example
    example("cd /")  # the next test has the same client_id, and so the same context


# Purpose -----------------------------------------------------------------------------------------


def test_it_streams_and_exits_like_the_command(run: Example) -> None:
    done = run("echo out; echo err >&2; cd /usr; export GREETING=hé; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    done = run("pwd;", "echo", '"$GREETING"')
    assert (done.returncode, done.stdout, done.stderr) == (0, "/usr\nhé\n", "")


def test_it_handles_long_output(run: Example) -> None:
    done = run("seq 200000")
    assert done.stdout == "".join(f"{number}\n" for number in range(1, 200_001))


def test_it_forwards_stdin_only_on_request(run: Example) -> None:
    done = run("-i", "cat", stdin="hé\n" * 10_000)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hé\n" * 10_000, "")
    with run.begin("cat; echo over") as process:  # its stdin stays open meanwhile
        assert process.wait(SECONDS) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "over\n"


# Endings of a command ----------------------------------------------------------------------------


def test_a_timeout_is_reported(run: Example) -> None:
    run.change("120", "0.2")
    done = run("echo begun; exec sleep 60")
    assert done.returncode == 128 + signal.SIGTERM
    assert (done.stdout, done.stderr) == ("begun\n", f"{run.name}: timed_out\n")


def test_a_signal_gives_the_exit_code_of_a_shell(run: Example) -> None:
    done = run("kill -KILL $$")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGKILL, "", "")


def test_a_failed_start_says_why(run: Example) -> None:
    field = {"run.py": '"cwd": "/no/such"', "run.mjs": 'cwd: "/no/such"'}[run.name]
    on = {"run.py": '"on_disconnect": "kill"', "run.mjs": 'on_disconnect: "kill"'}[run.name]
    run.change(on, f"{on}, {field}")
    done = run("true")
    assert done.returncode == 255
    assert done.stderr.startswith(f"{run.name}: ")
    assert "/no/such" in done.stderr


# Failures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ([], {}),
        (["-i"], {}),
        (["true"], {"SHELLWIRE_TOKEN": ""}),
        (["true"], {"SHELLWIRE_URL": ""}),
    ],
)
def test_a_missing_setting_is_reported(
    example: Example, words: list[str], variables: dict[str, str]
) -> None:
    given = {"SHELLWIRE_URL": "ws://127.0.0.1:1", "SHELLWIRE_TOKEN": "x", **variables}
    assert example.fails(*words, **given) == f"usage: {example.name} {USAGE}\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ws://127.0.0.1:1", "refused"),
        ("ws://127.0.0.1:70000", "70000"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_wrong_address_is_reported(example: Example, url: str, said: str) -> None:
    line = example.fails("true", SHELLWIRE_URL=url, SHELLWIRE_TOKEN="x")
    assert said in line.lower().replace("econnrefused", "refused")


def test_a_wrong_token_is_reported(run: Example) -> None:
    line = run.fails("true", SHELLWIRE_TOKEN="wrong")
    assert line == "INVALID_TOKEN: the token is missing or wrong\n"


async def _begun(example: Example, *words: str) -> subprocess.Popen[str]:
    """Start ``example`` with a command, and wait until the command runs."""
    process = example.begin("echo begun;", *words)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "begun\n"
    return process


async def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = await asyncio.to_thread(process.communicate, timeout=SECONDS)
    assert out == ""
    return process.returncode, err


async def test_one_client_at_a_time(example: Example, start: Callable[..., Daemon]) -> None:
    daemon = start()
    example.calls(daemon)
    first = await _begun(example, "sleep 60")
    name = f"{example.name}@{platform.node()}"
    line = await asyncio.to_thread(example.fails, "true", SHELLWIRE_CLIENT_ID="another")
    assert line.startswith(f"CLIENT_REJECTED: every client slot is taken, by {name};")
    # The same client_id takes over.
    done = await asyncio.to_thread(example, "echo second")
    assert (done.returncode, done.stdout, done.stderr) == (0, "second\n", "")
    code, err = await _end(first)
    assert code == 1
    assert err.count("\n") == 1
    assert "4000" in err
    assert "replaced" in err


async def test_two_client_ids_at_a_time(example: Example, start: Callable[..., Daemon]) -> None:
    daemon = start("--max-clients", "3")
    example.calls(daemon)
    first = await _begun(example, "cd /usr; sleep 60")
    done = await asyncio.to_thread(example, "pwd", SHELLWIRE_CLIENT_ID="another")
    assert (done.returncode, done.stdout) == (0, f"{os.getcwd()}\n")
    client = await daemon.client()
    (job,) = [each for each in client.status["jobs"] if each["state"] == "running"]
    await client.send({"type": "kill_session", "id": job["id"]})
    assert await _end(first) == (128 + signal.SIGTERM, f"{example.name}: killed\n")
    await client.close()


async def test_a_revocation_is_reported(example: Example, start: Callable[..., Daemon]) -> None:
    daemon = start()
    example.calls(daemon)
    running = await _begun(example, "sleep 60")
    name = f"{example.name}@{platform.node()}"
    Clients.load(Home(daemon.home)).revoke(name)
    client = await daemon.client(local=True)
    await client.ask({"type": "reload"})
    await client.close()
    code, err = await _end(running)
    assert code == 1
    assert err.count("\n") == 1
    assert "1008" in err
    assert "revoked" in err
    line = await asyncio.to_thread(example.fails, "true")
    assert line == f"CLIENT_REJECTED: client {name} is revoked\n"


async def test_the_end_of_the_daemon_is_reported(
    example: Example, start: Callable[..., Daemon]
) -> None:
    daemon = start()
    example.calls(daemon)
    running = await _begun(example, "exec sleep 60")
    await asyncio.to_thread(daemon.stop)
    assert await _end(running) == (128 + signal.SIGTERM, f"{example.name}: killed\n")
    daemon = start()
    example.calls(daemon)
    running = await _begun(example, "while sleep 0.1; do echo || exit; done")  # ends soon after
    daemon.process.kill()
    _, err = await asyncio.to_thread(running.communicate, timeout=SECONDS)
    assert running.returncode == 1
    assert err.count("\n") == 1


async def test_an_interrupt_is_no_traceback(example: Example, start: Callable[..., Daemon]) -> None:
    daemon = start()
    example.calls(daemon)
    running = await _begun(example, "sleep 60")
    running.send_signal(signal.SIGINT)
    code, err = await _end(running)
    assert code in (130, -signal.SIGINT)
    assert err == ""
    # on_disconnect "kill" ends the command too.
    client = await daemon.client(local=True)
    (job,) = client.status["jobs"]
    asking = {"type": "read_output", "id": job["id"], "after": len("begun\n"), "wait_ms": 20_000}
    assert (await client.ask(asking))["exit_code"] == -signal.SIGTERM
    await client.close()


async def test_a_closed_stdout_is_reported_in_one_line(
    example: Example, start: Callable[..., Daemon]
) -> None:
    example.calls(start())
    running = await _begun(example, "yes")
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    err = await asyncio.to_thread(running.stderr.read)
    assert await asyncio.to_thread(running.wait, SECONDS) == 1
    assert err.count("\n") == 1
    assert "pipe" in err.lower()
    for stream in (running.stdin, running.stderr):
        assert stream is not None
        stream.close()


# The short ones ----------------------------------------------------------------------------------
