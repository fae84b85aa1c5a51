"""A spawned child gets its own session, default signals, its descriptors, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shellwire.errors import SpawnError
from shellwire.process.spawn import private_file, spawn

if TYPE_CHECKING:
    from collections.abc import Callable


# The ways to start the children of ``run``, and the patch of ``os`` that selects each.
_WAYS = {
    "posix_spawn": "",
    "no posix_spawn": "del os.posix_spawn, os.posix_spawnp\n",
    "no setsid": """
def posix_spawn(*arguments, **more):
    raise NotImplementedError("posix_spawn: setsid unavailable on this platform")
os.posix_spawn = posix_spawn
""",
}


@pytest.fixture(params=_WAYS)
def run(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return a function that runs a script in a new Python with descriptors 0 to 2 only."""
    head = "import os, signal\nfrom shellwire.process.spawn import private_file, spawn\n"
    tail = "\nassert os.waitpid(pid, 0)[1] == 0\n"

    def in_python(script: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", head + _WAYS[request.param] + script + tail],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return in_python


def test_it_leads_a_session_of_its_own(run: Callable[[str], str]) -> None:
    script = """
argv = [b"/bin/sh", b"-c", b"echo $$; ps -o pgid=,sid= -p $$"]
pid = spawn(argv, os.environb, {0: 0, 1: 1, 2: 2})
"""
    pid, group, session = run(script).split()
    assert pid == group == session


def test_it_gets_the_given_descriptors_only(run: Callable[[str], str]) -> None:
    script = """
files = [private_file() for _ in range(20)]
pid = spawn([b"/bin/ls", b"/proc/self/fd"], {}, {0: 0, 1: 1, 2: 2, 7: files[0]})
"""
    # One of them is the directory that is listed.
    assert run(script).split() == ["0", "1", "2", "3", "7"]


def test_sources_that_are_targets_of_others(run: Callable[[str], str]) -> None:
    script = """
for name, number in (("a", 31), ("b", 32), ("c", 10)):
    os.dup2(private_file(name.encode()), number, inheritable=False)
read = b"import os; print(*(os.pread(fd, 1, 0).decode() for fd in (31, 32, 33, 34)))"
given = {0: 0, 1: 1, 2: 2, 31: 32, 32: 31, 33: 10, 34: 31}
import sys
pid = spawn([os.fsencode(sys.executable), b"-c", read], {}, given)
"""
    assert run(script) == "b a c a\n"


def test_signals_have_their_defaults(run: Callable[[str], str]) -> None:
    # Like a daemon started by nohup, in the background, with signals blocked.
    script = """
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
pid = spawn([b"/bin/grep", b"^Sig[BI]", b"/proc/self/status"], {}, {0: 0, 1: 1, 2: 2})
"""
    blocked, ignored = (int(line.split()[1], 16) for line in run(script).splitlines())
    assert blocked == 0
    # glibc's posix_spawn does not reset the two signals that it uses itself.
    assert ignored & ~(1 << 31 | 1 << 32) == 0


def test_the_terminal_is_its_controlling_terminal(run: Callable[[str], str]) -> None:
    script = """
master, slave = os.openpty()
argv = [b"/bin/sh", b"-c", b"tty <&7; tty; ps -o tty= -p $$; (exec 3<>/dev/tty) && tty <&2"]
argv[2] += b"; exec >&8; ps -o tty=,stat= -p $$"
pid = spawn(argv, os.environb, {7: slave, 8: 1}, tty=os.ttyname(slave))
name = os.ttyname(slave)
os.close(slave)
said = b""
try:
    while True:
        said += os.read(master, 4096)
except OSError:
    pass
assert said.decode().split() == [name, name, name.removeprefix("/dev/"), name], said
print(name.removeprefix("/dev/"))
"""
    name, its_own = run(script).splitlines()[::-1]
    # A session leader in the foreground of its terminal; N if the tests run under nice(1).
    assert its_own.replace("N", "").split() == [name, "Ss+"]


def test_many_at_once_leak_no_descriptor(run: Callable[[str], str]) -> None:
    script = """
before = os.listdir("/proc/self/fd")
pids = [spawn([b"/bin/sh", b"-c", b"exit 7"], {}, {0: 0, 7: 1, 200: 2}) for _ in range(100)]
codes = {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids}
assert codes == {7}, codes
assert os.listdir("/proc/self/fd") == before
pid = spawn([b"/bin/true"], {}, {})
"""
    assert run(script) == ""


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"/no/such/program", "No such file or directory"),
        (b"/etc/passwd", "Permission denied"),
    ],
)
@pytest.mark.parametrize("forked", [False, True])
def test_a_program_that_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, program: bytes, reason: str, forked: bool
) -> None:
    if forked:
        monkeypatch.delattr(os, "posix_spawn")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SpawnError, match=reason):
        spawn([program], {}, {0: 0})
    for target in (0, 199):
        with pytest.raises(SpawnError, match="Bad file descriptor"):
            spawn([b"/bin/true"], {}, {target: 198})
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("forked", [False, True])
def test_a_nul_byte_is_a_typed_error(monkeypatch: pytest.MonkeyPatch, forked: bool) -> None:
    if forked:
        monkeypatch.delattr(os, "posix_spawn")
    with pytest.raises(SpawnError, match="null byte"):
        spawn([b"/bin/echo", b"a\0b"], {}, {0: 0})


def test_a_private_file_has_no_name_and_is_not_inherited() -> None:
    fd = private_file(b"secret" * 100_000)
    assert os.pread(fd, 6, 0) == b"secret"
    assert os.fstat(fd).st_nlink == 0
    assert not os.get_inheritable(fd)
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    os.close(fd)


def test_it_can_be_signalled_at_once() -> None:
    pid = spawn([b"/bin/sleep", b"1000"], {}, {0: 0})
    os.kill(pid, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
