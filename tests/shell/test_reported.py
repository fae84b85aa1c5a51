"""Any supported shell says that its report is whole: its result need not wait for its exit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from shellwire.shell.dialect import MAX_LAST_LINE, last_line_status
from tests.jobs.held import hold
from tests.live import Daemon
from tests.server.observe import job_info
from tests.shell.shells import SHELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = b"0123456789abcdef"


@pytest.fixture(scope="module", params=SHELLS)
def shell_daemon(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shell_path: Callable[[str], str],
) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("reported") / "home"
    # Only descendants may be traced on many systems (Yama), so the daemon is no child of another.
    daemon = Daemon(home, "--shell", shell_path(request.param), forked=False)
    yield daemon
    daemon.stop()


@pytest.mark.parametrize("fields", [{}, {"is_pty": True}], ids=str)
async def test_the_result_comes_before_the_exit(
    shell_daemon: Daemon, fields: dict[str, Any]
) -> None:
    client = await shell_daemon.client()
    held = await hold(
        client, "cd /usr; export A=1; echo hi; trap 'echo x' USR1; (exit 4)", **fields
    )
    ran = await client.finish(held.job)
    assert (ran.code, ran.last["reason"], ran.last["committed"]) == (4, "exited", True)
    assert ran.out.split() == ["hi"]
    assert (await job_info(client, held.job))["pids"] == [held.pid]
    held.go()
    await held.gone(shell_daemon)
    assert (await client.run("echo $PWD $A")).out == "/usr 1\n"
    await client.close()


@pytest.mark.parametrize(
    "trap", ["trap 'echo bye' EXIT", "trap '' EXIT", "trap - EXIT", "trap 'x=1' 0"]
)
async def test_an_exit_trap_of_the_users(shell_daemon: Daemon, trap: str) -> None:
    client = await shell_daemon.client()
    held = await hold(client, trap)
    for _ in range(2):
        await client.ask({"type": "ping"})
    assert (await job_info(client, held.job))["state"] == "running"
    held.go()
    ran = await client.finish(held.job)
    assert (ran.code, ran.out) == (0, "bye\n" if "bye" in trap else "")
    await client.close()


async def test_the_token_is_not_shown(shell_daemon: Daemon) -> None:
    """Nothing of it is in what a shell prints about itself, and no child holds the pipe."""
    client = await shell_daemon.client()
    for command in ("set -x; :", "set -v\n:", "env", "set", "export -p", "readonly", "jobs"):
        # Only ps shows it.
        ran = await client.run(f"{command}\necho ARGV; tr '\\0' ' ' </proc/$$/cmdline")
        printed, _, argv = (ran.err + ran.out).rpartition("ARGV\n")
        token = re.findall(r"\b[0-9a-f]{16}\b", argv)[-1]
        assert token not in printed
        assert f'{token[:8]}""{token[8:]}' not in printed
    listed = (await client.run("ls -l /proc/self/fd")).out
    assert set(re.findall(r" (\d+) -> (?!/proc/)", listed)) == {"0", "1", "2"}
    await client.close()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"%s 0\n" % TOKEN, 0),
        (b"%s 255\n" % TOKEN, 255),
        (b"%s 256\n" % TOKEN, None),
        (b"%s 00\n" % TOKEN, None),
        (b"%s -1\n" % TOKEN, None),
        (b"%s \n" % TOKEN, None),
        (b"%s 0" % TOKEN, None),
        (b"%s 0\n\n" % TOKEN, None),
        (b"%s 0\nx" % TOKEN, None),
        (b"x%s 0\n" % TOKEN, None),
        (b"%s  0\n" % TOKEN, None),
        (b"0123456789abcde0 0\n", None),
        ("%s ٣\n".encode() % TOKEN, None),
        (b"%s %s\n" % (TOKEN, b"0" * MAX_LAST_LINE), None),
        (b"", None),
    ],
)
def test_last_lines(line: bytes, status: int | None) -> None:
    assert last_line_status(line, TOKEN) == status
