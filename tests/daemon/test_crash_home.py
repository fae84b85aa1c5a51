"""What a crash leaves in the home: token, clients, and a journal that may be damaged."""

from __future__ import annotations

import json
import resource
from typing import TYPE_CHECKING

import pytest

from shellwire.daemon.journal import MAX_LOST
from tests.daemon.crashes import pids_of
from tests.jobs.observe import FOREVER, is_alive
from tests.server.observe import cli
from tests.server.test_attach import attached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live import Daemon


async def test_token_clients_and_revocations_are_kept(again: Callable[..., Daemon]) -> None:
    daemon = again("--max-clients", "3")
    for name in ("phone", "laptop"):
        await daemon.client(name)
    cli(daemon, "clients", "revoke", "laptop")
    token = daemon.token
    daemon = again("--max-clients", "3")
    assert daemon.token == token
    client = await daemon.client("phone")
    clients = (await client.ask({"type": "list_clients"}))["clients"]
    assert {each["client_id"]: each["is_revoked"] for each in clients} == {
        "laptop": True,
        "phone": False,
    }
    assert (await client.run("echo on")).out == "on\n"
    await client.close()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'["daemon"]', b"[" * 100_000, None])
async def test_a_damaged_journal_does_not_stop_the_start(
    again: Callable[..., Daemon], tmp_path: Path, content: bytes | None
) -> None:
    journal = tmp_path / "home" / "jobs.journal"
    if content is None:
        (journal / "directory").mkdir(parents=True)
    else:
        journal.parent.mkdir()
        journal.write_bytes(content)
    daemon = again()
    client = await daemon.client()
    assert (await client.run("echo on")).out == "on\n"
    await client.close()
    daemon.stop()
    said = (daemon.home / "daemon.log").read_text().count("jobs.journal")
    assert said == (2 if content is None else 0)


async def test_an_unwritable_journal_does_not_stop_the_start(
    again: Callable[..., Daemon],
) -> None:
    daemon = again("--max-processes", "8")
    journal = daemon.home / "jobs.journal"
    client = await daemon.client("writes")
    with journal.open("a") as file:
        file.write("\n" * 1_000_000)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    (pid,) = await pids_of(client, f"echo $$; {FOREVER} >/dev/null 2>&1", 1, id="unnoted")
    assert '"unnoted"' not in journal.read_text()
    assert (await client.run("echo on")).out == "on\n"
    # The journal was rewritten, without the lines that made it too long.
    assert journal.stat().st_size < 1000
    assert (daemon.home / "daemon.log").read_text().count("jobs.journal: File too large") == 1
    daemon = again()
    assert not is_alive(pid)
    client = await daemon.client("writes")
    assert (await attached(client, "unnoted"))["state"] == "ended"
    assert (await client.finish("unnoted")).last["reason"] == "lost"
    await client.close()


async def test_at_most_max_lost_jobs_are_remembered(again: Callable[..., Daemon]) -> None:
    daemon = again()
    journal = daemon.home / "jobs.journal"
    with journal.open("a") as file:
        file.writelines(
            f"\n{json.dumps(['began', f'0.{number}', 'session', 'c', f'{number}', 1.0])}"
            for number in range(MAX_LOST + 5)
        )
    client = await again().client("c")
    assert [each["id"] for each in client.status["jobs"]] == [
        str(number) for number in range(5, MAX_LOST + 5)
    ]
    await client.close()
    assert journal.read_text().count('"began"') == MAX_LOST
