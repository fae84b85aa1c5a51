"""A viewer changes nothing of a job that an earlier daemon has lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.principals import administer, member

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live import Daemon


async def test_a_viewers_offset_is_not_the_end_of_a_lost_job(
    own_daemon: Callable[..., Daemon],
) -> None:
    daemon = own_daemon()
    owner = await daemon.client("o")
    await owner.session(id="lost", command="cat")
    daemon.process.kill()
    daemon.process.wait()
    daemon = own_daemon(home=daemon.home)
    viewer = await member(daemon, "eve", "viewer")
    far = 10**15
    answer = await viewer.ask({"type": "attach", "id": "lost", "after": far})
    assert (answer["type"], answer["after"], answer["end"]) == ("attached", 0, 0)
    answer = await viewer.ask({"type": "read_output", "id": "lost", "after": far})
    assert (answer["type"], answer["end"]) == ("output_page", 0)
    assert (await viewer.ask({"type": "credit", "id": "lost", "end": far}))["type"] == "ack"
    (job,) = (await administer(daemon, "list_jobs"))["jobs"]
    assert job["end"] == 0
    # Its owner may have read more than the daemon knows of.
    owner = await daemon.client("o")
    answer = await owner.ask({"type": "attach", "id": "lost", "after": 7})
    assert (answer["after"], answer["end"]) == (7, 7)
    for client in (viewer, owner):
        await client.close()
