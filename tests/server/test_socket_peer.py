"""The Unix socket is the owner's: jobs of other principals are refused there."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import shellwire
from tests.server.principals import member

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon

# Connects to the Unix socket, asks for a WebSocket, and prints the status line of the answer.
_KNOCK = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    "s.sendall(b'GET /ws HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\n"
    "Connection: Upgrade\\r\\n"
    "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n\\r\\n');"
    "print(s.recv(4096).split(b'\\r\\n')[0].decode())"
)
REFUSED, ADMITTED = "HTTP/1.1 403 Forbidden\n", "HTTP/1.1 101 Switching Protocols\n"


def knock(daemon: Daemon, prefix: str = "") -> str:
    python, socket = shlex.quote(sys.executable), shlex.quote(f"{daemon.home}/daemon.sock")
    return f'{prefix}{python} -S -c "{_KNOCK}" {socket}'


@pytest.fixture
def many(own_daemon: Callable[..., Daemon]) -> Daemon:
    """Return a daemon with room for several clients."""
    return own_daemon("--max-clients", "9")


async def operator(daemon: Daemon) -> Client:
    return await member(daemon, "alice")


async def test_the_owners_jobs_may_connect(many: Daemon) -> None:
    owner = await many.client()
    alice = await operator(many)
    await alice.run(":")
    assert (await owner.run(knock(many))).out == ADMITTED
    assert (await owner.run(knock(many, "env -i "))).out == ADMITTED
    for client in (owner, alice):
        await client.close()


@pytest.mark.parametrize("prefix", ["", "exec ", "env -i ", "exec env -i ", "setsid "])
async def test_a_job_of_another_is_refused(many: Daemon, prefix: str) -> None:
    """By its tag, by its session, or by what it descends from."""
    alice = await operator(many)
    ran = await alice.run(knock(many, prefix))
    assert ran.out == REFUSED, ran.messages
    job = await alice.session(command=knock(many, prefix), use_pty=True)
    await alice.output_until(job, "403 Forbidden")
    log = (many.home / "daemon.log").read_text()
    assert "on the Unix socket: it comes from a job of alice" in log
    await alice.close()


async def test_after_the_job_has_ended(many: Daemon, tmp_path: Path) -> None:
    """What it left behind still bears its tag."""
    alice = await operator(many)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    job = await alice.start(f"(cat {fifo} >/dev/null; {knock(many)}) & disown")
    await alice.until("result", id=job)
    os.close(os.open(fifo, os.O_WRONLY))
    await alice.output_until(job, REFUSED.strip())
    await alice.close()


async def test_our_program_says_why(many: Daemon) -> None:
    alice = await operator(many)
    root = Path(shellwire.__file__).parents[1]
    command = f"{shlex.quote(sys.executable)} -m shellwire exec true"
    ran = await alice.run(
        command, env={"SHELLWIRE_HOME": str(many.home), "PYTHONPATH": str(root)}, cwd="/"
    )
    assert ran.code == 255
    assert "refused this process (403): it comes from a job of another principal" in ran.err
    await alice.close()


async def test_what_gets_round_it(many: Daemon) -> None:
    """A role is no wall: a command has the daemon's uid, and so can read the owner's token.

    This documents the limit that SECURITY.md names. Only isolation would change it.
    """
    alice = await operator(many)
    ran = await alice.run(f"cat {many.home}/auth.token")
    assert ran.out.strip() == many.token
    owner = await many.client("stolen", token=ran.out.strip())
    assert owner.status["principal"]["role"] == "owner"
    for client in (alice, owner):
        await client.close()
