"""What a spawned child gets: a session, clean signals, its descriptors, and nothing else."""

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
    from pathlib import Path


def _output(script: str, extra: dict[int, int] | None = None) -> str:
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    pid = spawn(
        [b"/bin/sh", b"-c", script.encode()],
        {b"PATH": os.environb[b"PATH"]},
        {0: null, 1: writing, 2: null, **(extra or {})},
    )
    os.close(writing)
    os.close(null)
    with open(reading) as file:
        text = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return text


def test_it_leads_a_session_of_its_own() -> None:
    pid, group, session = _output("echo $$; ps -o pgid=,sid= -p $$").split()
    assert pid == group == session


def test_it_has_the_given_descriptors_only() -> None:
    report = private_file(b"content")
    listed = _output("ls /proc/$$/fd | tr '\\n' ' '; cat <&7", {7: report})
    os.close(report)
    # 10 is the shell's own.
    assert listed.replace(" 10 ", " ") == "0 1 2 7 content"


def test_sources_that_are_targets_of_others() -> None:
    files = [private_file(name.encode()) for name in "abc"]
    low = [os.dup2(each, number) for each, number in zip(files, (31, 32, 10), strict=True)]
    for each in files:
        os.close(each)
    text = _output("cat <&32; cat <&31; cat <&33; cat <&35", {31: 32, 32: 31, 33: 10, 35: 31})
    for each in low:
        os.close(each)
    # One offset is shared by all copies of a description: the second look finds its end.
    assert text == "abc"


def test_signals_are_as_after_a_login(tmp_path: Path) -> None:
    # A daemon that was started by nohup, in the background, with signals blocked.
    script = """
import os, signal, sys
from shellwire.process.spawn import spawn
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
pid = spawn([b"/bin/grep", b"^Sig[BI]", b"/proc/self/status"], {}, {0: 0, 1: 1, 2: 2})
os.waitpid(pid, 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["0" * 16] * 2


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"/no/such/program", "No such file or directory"),
        (b"/etc/passwd", "Permission denied"),
        (b"/", "Permission denied"),
    ],
)
def test_what_cannot_be_started(program: bytes, reason: str) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SpawnError, match=reason):
        spawn([program], {}, {0: 0})
    with pytest.raises(SpawnError, match="Bad file descriptor"):
        spawn([b"/bin/true"], {}, {0: 199})
    assert os.listdir("/proc/self/fd") == before


def test_a_nul_byte_is_a_typed_error() -> None:
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
