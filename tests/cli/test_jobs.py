"""``jobs``: running jobs and the last ten that ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.command_line import CommandLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


def listed(cli: CommandLine, *flags: str) -> list[str]:
    """Return the ids of the listed jobs, which must be the same in the table and in JSON."""
    table = [line.split()[0] for line in cli.ok("jobs", *flags).splitlines()]
    assert table[:1] == ["ID"]
    found = [job["id"] for job in json.loads(cli.ok("jobs", "--json", *flags))]
    assert table[1:] == found
    return found


@pytest.mark.long
async def test_running_jobs_and_the_last_ten(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon()
    cli = CommandLine(daemon.home)
    client = await daemon.client(local=True)
    # Living jobs are listed regardless of age, also jobs with background processes only.
    await client.run("sleep 1000 &", id="left")
    await client.session(id="lives", command="cat")
    await client.start("read x", id="long", open_stdin=True)
    for number in range(12):
        await client.run("true", id=f"ended{number}")
    await client.send({"type": "send_input", "id": "long", "data": "\n"})
    await client.finish("long")
    # The ten that ended last, in the order in which they were started.
    last = [f"ended{number}" for number in range(12)]
    assert listed(cli) == ["left", "lives", "long", *last[3:]]
    assert listed(cli, "-a") == listed(cli, "--all") == ["left", "lives", "long", *last]
    for job in ("left", "lives"):
        await client.ask({"type": "kill_session", "id": job})
    await client.close()


async def test_an_id_of_several_clients_names_a_way_out(daemon: Daemon) -> None:
    for _ in range(2):
        client = await daemon.client(local=True)
        await client.run("true", id="twin-id")
        await client.close()
    line = CommandLine(daemon.home).refused("logs", "twin-id")
    assert "2 jobs of other clients have the id twin-id" in line
    assert "`jobs --json` shows the client of each" in line
