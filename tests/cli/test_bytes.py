"""Arguments that are not UTF-8; a second signal ends every command that waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command_line import PROGRAM, SECONDS, CommandLine
from tests.client.hostile import STATUS, HostileServer, message_frame

if TYPE_CHECKING:
    from pathlib import Path

# Includes characters for private use, which must arrive unchanged.
BYTES = b"\xff caf\xe9 \xee\xbe\x80 \xee\xbf\xbf \xc3\xa9"


def ran(here: CommandLine, *words: bytes | str) -> tuple[int, bytes, bytes]:
    """Run the program; return its exit code, stdout and stderr."""
    done = here.in_bytes(*words)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--", "printf", "%s", BYTES),
        (b"printf '%s' '" + BYTES + b"'",),
        ("-e", b"A=" + BYTES, 'printf %s "$A"'),
    ],
    ids=["words", "text", "variable"],
)
def test_a_command_and_its_variables(here: CommandLine, words: tuple[bytes | str, ...]) -> None:
    assert ran(here, "exec", *words) == (0, BYTES, b"")


def test_a_directory_and_a_context(here: CommandLine, tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/" + BYTES
    os.mkdir(place)
    context = b"\xe9-%d" % os.getpid()
    assert ran(here, "exec", "-C", place, "-s", context, 'cd "$PWD"; pwd')[1] == place + b"\n"
    assert ran(here, "exec", "-s", context, b"cd '%s'" % place) == (0, b"", b"")
    assert ran(here, "exec", "-s", context, "pwd") == (0, place + b"\n", b"")


def test_a_directory_that_is_not_there(here: CommandLine, tmp_path: Path) -> None:
    missing = os.fsencode(tmp_path) + b"/n\xe9"
    code, out, err = ran(here, "exec", "-C", missing, "pwd")
    assert (code, out) == (255, b"")
    assert err == b"Error: cwd %s/n\\xe9: there is no such directory\n" % os.fsencode(tmp_path)


def test_jobs_shows_such_a_command(here: CommandLine) -> None:
    with subprocess.Popen(
        [*PROGRAM, "exec", b"echo \xe9\xee\xbe\x80; read x"],
        env=here.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\xe9\xee\xbe\x80\n"
        assert rb"echo \xe9\uef80; read x" in ran(here, "jobs")[1]
        jobs: list[dict[str, Any]] = json.loads(ran(here, "jobs", "--json")[1])
        # As in `jobs_list`: the byte E9 becomes one character, U+EF80 three.
        assert "echo \uefe9\uefee\uefbe\uef80; read x" in [job["command"] for job in jobs]
        process.communicate(b"\n", timeout=SECONDS)


@pytest.mark.parametrize("words", [("kill",), ("logs",), ("attach",), ("logs", "-f")])
def test_an_id_that_is_no_text(here: CommandLine, words: tuple[str, ...]) -> None:
    code, out, err = ran(here, *words, b"\xff")
    assert (code, out) == (255 if words[0] == "attach" else 1, b"")
    assert err == b"Error: id: '\\xff' is not UTF-8\n"


@pytest.mark.parametrize(
    "words",
    [("exec", b"printf \xff"), ("exec", "-C", b"/\xff", "pwd"), ("exec", "-e", b"A=\xff", "env")],
)
async def test_a_daemon_that_is_too_old(cli: CommandLine, words: tuple[bytes | str, ...]) -> None:
    old = HostileServer(lambda _: b"", status=message_frame(STATUS | {"features": []}))
    async with old.serve():
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, *words),
            env={**cli.environment, "SHELLWIRE_URL": old.url, "SHELLWIRE_TOKEN": "0" * 64},
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 255
    assert b"\\xff" in err
    assert b"too old" in err
    assert err.count(b"\n") == 1


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("answers_kill", [True, False])
async def test_signals_end_a_command_without_an_answer(
    cli: CommandLine, number: signal.Signals, answers_kill: bool
) -> None:
    """A daemon that never answers `execute`, and answers `kill_session` or not."""
    heard = asyncio.Event()

    def answers(message: dict[str, Any]) -> bytes:
        if message["type"] == "execute":
            heard.set()
        if message["type"] != "kill_session" or not answers_kill:
            return b""
        said = {"code": "SESSION_NOT_FOUND", "message": "no job has the id", "id": message["id"]}
        return message_frame({"type": "error", "request_id": message["request_id"], **said})

    server = HostileServer(answers)
    async with server.serve():
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "exec", "true"),
            env={**cli.environment, "SHELLWIRE_URL": server.url, "SHELLWIRE_TOKEN": "0" * 64},
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(heard.wait(), SECONDS)
        while process.returncode is None:
            # Not process.send_signal(): it polls, and takes the status of a process that has just
            # ended away from asyncio, which then reports 255 (CPython issue 127049).
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
            try:
                await asyncio.wait_for(process.wait(), 1)
            except TimeoutError:
                sent = len(server.heard)
                assert sent < 100
    assert process.returncode == -number
