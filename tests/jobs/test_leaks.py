"""Jobs that end in different ways leave no zombie, no orphan, and no descriptor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.jobs.observe import FOREVER, becomes, below, kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Client, Daemon, Message

# SHELLWIRE_TEST_ROUNDS=17 makes it 200 endings and more.
ROUNDS = int(os.environ.get("SHELLWIRE_TEST_ROUNDS", "2"))

KILLED: list[tuple[str, Message]] = [
    (f"echo up; {FOREVER}", {}),
    (f"echo up; {FOREVER} & {FOREVER} & wait", {"is_pty": True}),
    (f"setsid {FOREVER} & echo up; cat", {"open_stdin": True}),
    ("echo up; yes >&2 & wait", {"max_output_bytes": 0}),
]
BY_ITSELF: list[tuple[str, Message]] = [
    ("exit 3", {}),
    ("kill -9 $$", {}),
    ("seq 10000", {"is_pty": True}),
    (f"{FOREVER}", {"timeout": 0.05}),
    ("yes", {"max_output_bytes": 100_000}),
    (":", {"cwd": "/nowhere"}),
    ("exit", {"stdin_data": "x" * 200_000}),
    ("(setsid sleep 0.05 &) ; sleep 0.02 & :", {}),
]


async def _kill(client: Client, command: str, fields: Message) -> None:
    job = await client.start(command, **fields)
    await client.output_until(job, "up")
    await client.send({"type": "kill_session", "id": job})
    await client.finish(job)


async def _round(client: Client) -> None:
    jobs = [await client.start(command, **fields) for command, fields in BY_ITSELF]
    for job in jobs:
        await client.finish(job)
    for command, fields in KILLED:
        await _kill(client, command, fields)
    session = await client.session(use_pty=True, command="cat")
    await client.send({"type": "kill_session", "id": session})
    await client.until("session_ended", id=session)


@pytest.mark.long
async def test_mixed_endings(either: Daemon, ender: Client) -> None:
    # The first round leaves permanent descriptors: of a module's file, or cached ones.
    await _round(ender)
    await becomes(lambda: below(either) == [])
    before = kinds(either)
    for _ in range(ROUNDS):
        await _round(ender)
    await becomes(lambda: below(either) == [])
    await becomes(lambda: kinds(either) == before)


async def test_mixed_endings_with_shells_that_wait(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--max-processes", "16", "--spares", "2")
    client = await daemon.client()
    await _round(client)
    await becomes(lambda: len(below(daemon)) == 2)
    before = kinds(daemon)
    for _ in range(ROUNDS):
        await _round(client)
    await becomes(lambda: len(below(daemon)) == 2)
    await becomes(lambda: kinds(daemon) == before)
    await client.close()
