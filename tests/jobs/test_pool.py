"""Shells started in advance: commands can't notice them, and none is left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.live import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.live import Client

# Run in a shell started for this command, and in one from the pool.
PROBES = {
    "flags and parameters": 'echo "$-" "$0" "$#" "$?" "$BASH_SUBSHELL" "$SHLVL" "${#BASH_ARGV[@]}"',
    "seconds": 'echo "$SECONDS"',
    "options": "set -o; shopt",
    "parent": "[ $PPID = $(ps -o ppid= -p $$) ] && echo child of the daemon",
    "itself": "[ $BASHPID = $$ ] && ps -o comm=,tty=,nice= -p $$",
    "descriptors": 'for f in /proc/$$/fd/*; do t=$(readlink "$f"); echo "${f##*/} ${t%%:*}"; done',
    "descriptors of a child": "ls -l /proc/self/fd | awk '{print $9}'",
    "limits": "ulimit -a; cat /proc/$$/limits",
    "umask and nice": "umask; nice; cat /proc/$$/oom_score_adj",
    # The shell reads this itself: while it starts a child, signals are blocked.
    "signals": "while read -r line; do case $line in Sig[BIC]*|Shd*) echo $line;; esac; done"
    " </proc/$$/status; trap -p INT TERM HUP PIPE CHLD",
    "terminal and session": "tty; ps -o tty= -p $$; [ $(ps -o sid=,pgid= -p $$) = $$ ]; echo $?",
    "directory": "pwd; pwd -P; echo $OLDPWD; dirs; [ . -ef /proc/$$/cwd ] && echo the same",
    "tables": "hash; jobs; history; times | wc -l",
    "environment": "env | grep -v -e '^SHELLWIRE_' -e '^_=' | sort",
    "names": "compgen -v | grep -v -e ^BASH -e ^__ | sort | tr '\\n' ' '; declare -F; alias",
    "tracing": "set -x; a=1; : $a",
    "line numbers": "echo $LINENO; nosuch",
    "syntax errors": "echo one\nif",
}


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Daemon]]:
    """Yield a daemon without a pool of shells, and one with a pool of two."""
    cwd = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("born"))
    try:
        homes = [tmp_path_factory.mktemp("spares") / "home" for _ in range(2)]
        pair = Daemon(homes[0], "--spares", "0"), Daemon(homes[1], "--spares", "2")
    finally:
        os.chdir(cwd)
    yield pair
    for daemon in pair:
        daemon.stop()


@pytest.fixture
async def clients(daemons: tuple[Daemon, Daemon]) -> AsyncIterator[tuple[Client, Client]]:
    clients = [await daemon.client() for daemon in daemons]
    yield clients[0], clients[1]
    for client in clients:
        await client.close()


async def _waiting(daemon: Daemon, client: Client, count: int) -> list[int]:
    """Run commands until ``count`` shells wait; return their pids."""
    while True:
        await client.run("sleep 0.01")
        jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
        # The last command's shell may still be there: it has only reported.
        leaving = {pid for job in jobs for pid in job["pids"]}
        waiting = [pid for pid in daemon.children() if pid not in leaving]
        if len(waiting) == count:
            return waiting


BEFORE = {
    "as it was started": ":",
    "a patch": "cd /usr; export A=1; b=2; alias ll=ls; unset EDITOR",
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("probe", PROBES)
async def test_a_pooled_shell_looks_like_a_new_one(
    daemons: tuple[Daemon, Daemon], clients: tuple[Client, Client], probe: str, before: str
) -> None:
    await _waiting(daemons[1], clients[1], 2)
    for client in clients:
        await client.run(BEFORE[before])
    cold, spare = [await client.run(PROBES[probe]) for client in clients]
    assert cold.out.replace(daemons[0].home.name, daemons[1].home.name) == spare.out
    assert (cold.code, cold.err) == (spare.code, spare.err)


async def test_changes_since_a_shell_was_started(
    daemons: tuple[Daemon, Daemon], clients: tuple[Client, Client]
) -> None:
    """Each command finds the state of the one before, though its shell was started earlier."""
    daemon, client = daemons[1], clients[1]
    await _waiting(daemon, client, 2)
    for number in range(20):
        ran = await client.run(f"echo ${{N-none}} $x; export N={number} x='it''s {number}'")
        assert ran.out.split()[0] == ("none" if number == 0 else str(number - 1))
    assert (await client.run("unset N; f() { echo f; }; arr=(1 2); cd /")).code == 0
    assert (await client.run("echo ${N-none} ${arr[1]} $PWD; f")).out == "none 2 /\nf\n"
    assert (await client.run("unset -f f; cd /usr; cd /tmp")).code == 0
    assert (await client.run("type f >/dev/null 2>&1 || echo gone; cd -")).out == "gone\n/usr\n"


async def test_a_directory_removed_and_created_again(
    daemons: tuple[Daemon, Daemon], clients: tuple[Client, Client], tmp_path: Path
) -> None:
    daemon, client = daemons[1], clients[1]
    directory = tmp_path / "again"
    directory.mkdir()
    await client.run(f"cd '{directory}'")
    await _waiting(daemon, client, 2)
    # The waiting shells are in the directory that is about to be removed.
    await client.run(":")
    await client.run(":")
    await _waiting(daemon, client, 2)
    directory.rmdir()
    directory.mkdir()
    (directory / "file").touch()
    assert (await client.run("ls")).out == "file\n"


async def test_waiting_shells_are_no_jobs_and_take_no_slot(
    daemons: tuple[Daemon, Daemon], clients: tuple[Client, Client]
) -> None:
    daemon, client = daemons[1], clients[1]
    spares = await _waiting(daemon, client, 2)
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    assert not {pid for job in jobs for pid in job["pids"]} & set(spares)
    started = [await client.start("read -r _", open_stdin=True) for _ in range(4)]
    for job in started:
        await client.send({"type": "send_input", "id": job, "data": "\n"})
        assert (await client.finish(job)).code == 0


async def test_a_dead_shell_is_not_used(
    daemons: tuple[Daemon, Daemon], clients: tuple[Client, Client]
) -> None:
    daemon, client = daemons[1], clients[1]
    waiting = await _waiting(daemon, client, 2)
    for pid in waiting:
        os.kill(pid, 9)
    # A shell whose signal is still pending would be taken, and the command would fail.
    while set(waiting) & set(daemon.children()):
        await client.ask({"type": "ping"})
    assert (await client.run("echo alive")).out == "alive\n"


async def test_waiting_shells_end_with_the_daemon(own_daemon: Callable[..., Daemon]) -> None:
    daemon = own_daemon("--spares", "2")
    client = await daemon.client()
    spares = await _waiting(daemon, client, 2)
    daemon.stop()
    assert not [pid for pid in spares if psutil.pid_exists(pid)]
    await client.close()
