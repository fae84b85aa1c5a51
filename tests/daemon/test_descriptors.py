"""The limit of descriptors is raised for the daemon, and restored for its jobs."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from shellwire.process.limits import MAX_DESCRIPTORS
from tests.live import Daemon

if TYPE_CHECKING:
    from pathlib import Path

_SOFT = 300


async def test_jobs_get_the_limit_that_the_daemon_was_started_with(tmp_path: Path) -> None:
    limited = ["sh", "-c", f'ulimit -Sn {_SOFT}; exec "$@"', "sh"]
    daemon = Daemon(tmp_path / "home", wrapper=limited)
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE) == (most, hard)
        client = await daemon.client()
        for _ in range(4):  # with pooled and with new shells
            assert (await client.run("ulimit -n; ulimit -Sn")).out == f"{_SOFT}\n" * 2
        assert (await client.run("ulimit -n", is_pty=True)).out == f"{_SOFT}\r\n"
        session = await client.session(command="ulimit -n; cat")
        await client.output_until(session, f"{_SOFT}\n")
        # A command may raise the limit, as in any shell.
        assert (await client.run("ulimit -Sn 400 && ulimit -n")).out == "400\n"
        await client.close()
    finally:
        daemon.stop()
