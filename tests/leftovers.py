"""The check that no test leaves a process behind: a run that does fails, and names the tests.

A pytest plugin, loaded by ``tests/conftest.py``. Every process that a run starts inherits a mark
in its environment, which ``/proc`` shows; elsewhere nothing is checked. Each xdist worker has its
own mark.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Not SHELLWIRE_…, which tests remove from environments.
_VARIABLE = "LEFTOVERS_OF"

_VANISH_SECONDS = 30.0
"""How long processes that are about to end may take; a clean run waits for none of it."""

_started: list[tuple[float, str]] = []
"""When each test began, in seconds since the boot, and its id."""


@dataclass(frozen=True)
class Process:
    """A process that carries the mark; ``started`` is in seconds since the boot."""

    pid: int
    started: float
    command: str

    def __str__(self) -> str:
        return f"{_test_at(self.started)}: pid {self.pid}: {self.command}"


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note when the test begins."""
    if _has_proc():
        _started.append((time.clock_gettime(time.CLOCK_BOOTTIME), nodeid))


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail if processes outlive the run. Set up first, so torn down after every daemon."""
    if not _has_proc():
        yield
        return
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    os.environ[_VARIABLE] = mark
    # A process with an environment of its own mostly has a path of ours in it.
    marks = [f"{_VARIABLE}={mark}\0".encode(), os.fsencode(tmp_path_factory.getbasetemp()) + b"/"]
    yield
    del os.environ[_VARIABLE]
    until = time.monotonic() + _VANISH_SECONDS
    while (left := find(marks)) and time.monotonic() < until:
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    if left:
        lines = "\n".join(f"  {process}" for process in left)
        pytest.fail(f"tests left processes behind (now killed):\n{lines}", pytrace=False)


def find(marks: list[bytes]) -> list[Process]:
    """Return the living processes whose environment or arguments have one of ``marks``."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it has ended, or belongs to somebody else
            arguments = Path("/proc", name, "cmdline").read_bytes()
            # A zombie has neither; multiprocessing's tracker ends with this process.
            text = Path("/proc", name, "environ").read_bytes() + arguments
            if any(mark in text for mark in marks) and b"resource_tracker" not in arguments:
                command = arguments.replace(b"\0", b" ").decode(errors="replace")[:100]
                found.append(Process(int(name), _start_time(name), command))
    return found


def _start_time(pid: str) -> float:
    """Return field 22 of proc_pid_stat(5), in seconds since the boot."""
    fields = Path("/proc", pid, "stat").read_text().rpartition(") ")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _test_at(moment: float) -> str:
    """Return the id of the test that ran when a process started."""
    # Start times are rounded down to a clock tick.
    before = [nodeid for start, nodeid in _started if start <= moment + 0.01]
    return before[-1] if before else "before the first test"


def _has_proc() -> bool:
    return os.path.exists("/proc/self/environ")
