"""A hostile server: any message ends in a one-line error, with bounded memory."""

from __future__ import annotations

import asyncio
import resource
import zlib
from resource import RUSAGE_CHILDREN, RUSAGE_SELF
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.protocol.limits import MAX_DAEMON_MESSAGE, MAX_NESTING
from tests import forked
from tests.cli.command_line import PROGRAM, SECONDS, CommandLine
from tests.client.hostile import STATUS, HostileServer, frame, message_frame

if TYPE_CHECKING:
    from collections.abc import Callable

ESCAPE = "e\x1b]0;owned\x07\x1b[31m\u202e\n2"
SHOWN = r"e\x1b]0;owned\x07\x1b[31m\u202e\n2"

JOB = {
    "id": ESCAPE,
    "kind": "command",
    "state": ESCAPE,
    "client_id": "c",
    "command": ESCAPE,
    "context": ESCAPE,
    "cwd": "/",
    "pid": 1,
    "pids": [],
    "is_pty": False,
    "cols": None,
    "rows": None,
    "started_at": 1e300,
    "ended_at": None,
    "exit_code": None,
    "reason": None,
    "end": 0,
    "start": 0,
}


async def asked(cli: CommandLine, server: HostileServer, *words: str) -> tuple[int, str, str]:
    """Run a command that talks to this server; return its exit code, stdout and stderr."""
    async with server.serve():
        variables = {"SHELLWIRE_URL": server.url, "SHELLWIRE_TOKEN": "0" * 64}
        done = await asyncio.to_thread(cli.in_bytes, *words, env=variables)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def refused(cli: CommandLine, server: HostileServer, *words: str) -> str:
    """Run a command; return its one-line error. It must not have reconnected."""
    code, out, err = await asked(cli, server, *words)
    assert (code, out) == (255, ""), err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert server.connections == 1
    return err


def answering(**fields: Any) -> Callable[[dict[str, Any]], bytes]:
    """Return a handler that answers each message with these fields and its ids."""
    return lambda heard: message_frame(
        {"id": heard.get("id"), "request_id": heard.get("request_id"), **fields}
    )


def jobs_list(jobs: Any) -> Callable[[dict[str, Any]], bytes]:
    return answering(type="jobs_list", jobs=jobs)


NOT_MESSAGES = {
    "array": b"[1]",
    "null": b"null",
    "number": b"7",
    "nothing": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"type": "\xff"}',
    "lone surrogate": b'{"type": "\\ud800"}',
    "NaN": b'{"type": "pong", "x": NaN}',
    "brackets": b"[" * 100_000,
    "deep": b'{"type": "pong", "x": %s}' % (b"[" * MAX_NESTING + b"]" * MAX_NESTING),
    "no type": b"{}",
    "type": b'{"type": 7}',
    "objects": b'{"type": "jobs_list", "jobs": [%s{}]}' % (b"{}," * 2_000_000),
    "numbers": b'{"type": "jobs_list", "jobs": [{"pids": [%s1]}]}' % (b"1," * 10_000_000),
}


@pytest.mark.parametrize("content", NOT_MESSAGES.values(), ids=NOT_MESSAGES)
@pytest.mark.parametrize("first", [True, False], ids=["status", "answer"])
async def test_malformed_messages(cli: CommandLine, content: bytes, first: bool) -> None:
    server = HostileServer(lambda _: frame(content), status=frame(content) if first else None)
    assert "is no shellwire: it has sent" in await refused(cli, server, "jobs")


@pytest.mark.parametrize(
    "answer",
    [
        frame(b"x", first=0x82),
        frame(b"x", first=0xB1),
        frame(b"x", first=0x83),
        frame(b"x" * 200, first=0x89),
    ],
    ids=["binary", "reserved bits", "unknown opcode", "long ping"],
)
async def test_a_frame_that_no_daemon_sends(cli: CommandLine, answer: bytes) -> None:
    assert "is no shellwire: it has sent" in await refused(
        cli, HostileServer(lambda _: answer), "jobs"
    )


WRONG: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], bytes]]] = {
    "jobs: null": (("jobs",), jobs_list(None)),
    "jobs: numbers": (("jobs",), jobs_list([1])),
    "jobs: a job without anything": (("jobs",), jobs_list([{}])),
    "jobs: command": (("jobs",), jobs_list([{**JOB, "command": 1}])),
    "jobs: started_at": (("jobs",), jobs_list([{**JOB, "started_at": "now"}])),
    "jobs: another answer": (("jobs",), answering(type="pong")),
    "logs: chunks": (("logs", "a"), answering(type="output_page", chunks=1, end=0)),
    "logs: base64": (
        ("logs", "a"),
        answering(
            type="output_page",
            chunks=[{"stream": "stdout", "data": "%", "end": 1}],
            end=1,
            gap=None,
            state="ended",
            exit_code=0,
        ),
    ),
    "exec: stream": (("exec", "a"), answering(type="output", stream="log", data="", end=1)),
    "exec: data": (("exec", "a"), answering(type="output", stream="stdout", data="*", end=1)),
    "exec: end": (("exec", "a"), answering(type="output", stream="stdout", data="", end="1")),
    "exec: result": (("exec", "a"), answering(type="result", exit_code="0")),
    "exec: less": (("exec", "a"), answering(type="result", exit_code=0)),
    "exec: error": (("exec", "a"), answering(type="error", code=5, message=None)),
    "attach: attached": (("attach", "a"), answering(type="attached", after="0")),
    "cp: root": (
        ("cp", ":f", "here"),
        answering(type="fs_result", operation="fs_root_info", result={"root": 1}),
    ),
    "cp: result": (
        ("cp", ":f", "here"),
        answering(type="fs_result", operation="fs_root_info", result=[]),
    ),
}


@pytest.mark.parametrize(("words", "answers"), WRONG.values(), ids=WRONG)
async def test_a_field_of_a_wrong_type(
    cli: CommandLine, words: tuple[str, ...], answers: Callable[[dict[str, Any]], bytes]
) -> None:
    await refused(cli, HostileServer(answers), *words)


@pytest.mark.parametrize("wrong", [{"limits": 1}, {"limits": {}}, {"features": "x"}, {"jobs": [1]}])
async def test_a_status_of_a_wrong_type(cli: CommandLine, wrong: dict[str, Any]) -> None:
    await refused(
        cli, HostileServer(lambda _: b"", status=message_frame(STATUS | wrong)), "exec", "true"
    )


def bomb() -> bytes:
    """Return a compressed message of less than 1 MB that inflates to ten times the limit."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [deflate.compress(b'{"type": "jobs_list", "jobs": [')]
    parts += [deflate.compress(b" " * (1024 * 1024)) for _ in range(10 * MAX_DAEMON_MESSAGE >> 20)]
    parts.append(deflate.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts).removesuffix(b"\0\0\xff\xff")


@pytest.mark.long
@pytest.mark.parametrize("first", [True, False], ids=["status", "answer"])
async def test_a_message_that_inflates_without_end(
    cli: CommandLine, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = frame(bomb(), first=0xC1)
    server = HostileServer(lambda _: answer, status=answer if first else None, deflate=True)
    monkeypatch.setattr(forked.SERVER, "can_run", lambda *_: False)  # so a child of this process
    assert f"more than {MAX_DAEMON_MESSAGE} bytes" in await refused(cli, server, "jobs")
    # In KiB, of the largest child so far. Until execve(2) a child of vfork(2) has our own size.
    most, own = (resource.getrusage(who).ru_maxrss * 1024 for who in (RUSAGE_CHILDREN, RUSAGE_SELF))
    assert most < 6 * MAX_DAEMON_MESSAGE or most <= own


async def test_a_message_that_never_ends(cli: CommandLine) -> None:
    endless = frame(b"x" * (8 << 20), first=0x01) + 20 * frame(b"x" * (8 << 20), first=0x00)
    server = HostileServer(lambda _: endless)
    assert f"more than {MAX_DAEMON_MESSAGE} bytes" in await refused(cli, server, "jobs")


async def test_the_output_of_jobs_is_escaped(cli: CommandLine) -> None:
    ended = {**JOB, "exit_code": 3, "reason": ESCAPE}
    code, out, err = await asked(cli, HostileServer(jobs_list([JOB, ended])), "jobs")
    assert (code, err) == (0, "")
    assert out.replace("\n", "").isprintable()
    assert out.count("\n") == 3
    assert f"{SHOWN} 3" in out


async def test_messages_of_exec_are_escaped(cli: CommandLine) -> None:
    result = {
        "type": "result",
        "exit_code": 0,
        "duration_ms": 1.0,
        "error": None,
        "reason": ESCAPE,
        "signal": None,
        "cwd": None,
        "committed": False,
        "bytes": {"stdout": 0, "stderr": 0},
    }
    notice = {"type": "notice", "code": "X", "message": ESCAPE}

    def answers(heard: dict[str, Any]) -> bytes:
        if heard["type"] != "execute":
            return b""
        return message_frame({**notice, "id": heard["id"]}) + message_frame(
            {**result, "id": heard["id"]}
        )

    code, out, err = await asked(cli, HostileServer(answers), "exec", "true")
    assert (code, out) == (0, "")
    assert err == f"shellwire: {SHOWN}\nshellwire: {SHOWN}\n"


@pytest.mark.parametrize("words", [("exec", "true"), ("jobs",), ("kill", "a"), ("logs", "a")])
async def test_an_error_is_escaped(cli: CommandLine, words: tuple[str, ...]) -> None:
    operation = {"exec": "execute"}.get(words[0])
    answers = answering(type="error", code="NOT_FOUND", message=ESCAPE, operation=operation)
    code, out, err = await asked(cli, HostileServer(answers), *words)
    assert (code, out) == (255 if words[0] == "exec" else 1, "")
    assert err == f"Error: {SHOWN}\n"


async def test_messages_of_login_and_refusals_are_escaped(
    cli: CommandLine, tmp_path: object
) -> None:
    server = HostileServer(lambda _: b"", status=message_frame(STATUS | {"version": ESCAPE}))
    async with server.serve():
        process = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "login", "box", server.url),
            env=cli.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(b"0" * 64 + b"\n"), SECONDS)
    assert process.returncode == 0
    assert out.decode() == f"saved host box: {server.url} (shellwire {SHOWN})\n"
    refusal = message_frame(
        {"type": "error", "id": None, "code": "CLIENT_REJECTED", "message": ESCAPE}
    )
    code, _, err = await asked(cli, HostileServer(lambda _: b"", status=refusal), "jobs")
    assert (code, err) == (255, f"Error: {SHOWN}\n")


async def test_an_error_without_an_id_fails_all_requests(cli: CommandLine) -> None:
    answers = message_frame(
        {"type": "error", "id": None, "code": "INVALID_JSON", "message": "no JSON"}
    )
    for words in (("exec", "true"), ("jobs",)):
        code, out, err = await asked(cli, HostileServer(lambda _: answers), *words)
        assert (code, out, err) == (255 if words[0] == "exec" else 1, "", "Error: no JSON\n")


async def test_no_redirect_is_followed(cli: CommandLine) -> None:
    there = HostileServer(lambda _: b"")
    asked_for: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked_for.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            f"HTTP/1.1 {status} Elsewhere\r\nLocation: {there.url.replace('ws', 'http', 1)}\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
    async with there.serve():
        for status in (301, 302, 303, 307, 308):
            asked_for.clear()
            process = await asyncio.create_subprocess_exec(
                *(*PROGRAM, "jobs"),
                env={**cli.environment, "SHELLWIRE_URL": url, "SHELLWIRE_TOKEN": "0" * 64},
                stderr=asyncio.subprocess.PIPE,
            )
            _, err = await asyncio.wait_for(process.communicate(), SECONDS)
            assert process.returncode == 255
            assert f"a redirect ({status}) to " in err.decode()
            assert err.count(b"\n") == 1
            assert len(asked_for) == 1
    server.close()
    assert there.connections == 0
