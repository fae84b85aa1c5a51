"""Send signals to processes: to exactly the given ones, and to children they fork meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from shellwire.process import children, proc
from shellwire.process.proc import open_pidfd

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

log = logging.getLogger(__name__)

if sys.platform == "win32":
    # SIGTERM can't be caught on Windows: os.kill calls TerminateProcess. Ctrl-Break can.
    TERM, HUP, KILL = signal.SIGBREAK, signal.SIGBREAK, signal.SIGTERM
    _AFTER_SIGNAL: tuple[signal.Signals, ...] = ()
else:
    TERM, HUP, KILL = signal.SIGTERM, signal.SIGHUP, signal.SIGKILL
    _AFTER_SIGNAL = (signal.SIGCONT,)

# So many processes are signalled before the event loop runs again.
_BATCH = 64

# Seconds that a leader gets to stop: under load the kernel must schedule it first.
_STOP_SECONDS = 0.1


async def send(
    number: signal.Signals, targets: Iterable[proc.Process], members: Iterable[proc.Process] = ()
) -> list[proc.Process]:
    """Send a signal to each of ``targets`` that is still the process that was inspected.

    Returns the targets, and the children that they have forked since and that are not among
    ``members``. Those get the signal too: else a shell signalled between its fork and its wait
    would wait for a child without the signal. Children that it forks after the signal belong to
    its handler.

    The pid is pinned by a pidfd and then compared again (pidfd_send_signal(2)), so a reused pid is
    not hit. A stopped process is continued, or it could not react.
    """
    signalled = list(targets)
    seen = {process.pid for process in members}
    for count, process in enumerate(signalled, 1):  # grows while it is read
        try:
            if number == TERM and process.pid == process.session:
                await _stop_leader(process)
            children = _children(process, seen)
            _signal(process, number)
            for each in _AFTER_SIGNAL if number != KILL else ():
                _signal(process, each)
        except ProcessLookupError:
            continue
        except PermissionError:
            log.warning("not allowed to signal process %d of a job", process.pid)
            continue
        seen.update(each.pid for each in children)
        signalled += children
        if count % _BATCH == 0:
            await asyncio.sleep(0)
    return signalled


def _children(process: proc.Process, seen: Container[int]) -> list[proc.Process]:
    """Return the living children of ``process`` that are not ``seen``, without reused pids."""
    if not children.has_children_files():
        return []
    found = [proc.inspect(pid) for pid in children.children(process.pid) if pid not in seen]
    return [
        each for each in found if each is not None and each.ppid == process.pid and not each.zombie
    ]


async def _stop_leader(process: proc.Process) -> None:
    """Stop a job's leader at a moment when it doesn't fork; the caller must continue it.

    bash blocks TERM while it forks, and forgets a TERM that arrives then if it waits for the child
    (make_child and waitchld in its jobs.c). And the children of a process can be listed reliably
    only while it is stopped.
    """
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    until = loop.time() + _STOP_SECONDS
    pause = 0.0
    try:
        while loop.time() < until:
            _signal(process, signal.SIGSTOP)
            state = proc.signal_state(process.pid)
            if state is None or (state.is_stopped and not state.blocks(signal.SIGTERM)):
                return
            if state.is_stopped:
                _signal(process, signal.SIGCONT)
            await asyncio.sleep(pause)
            pause = min(pause * 2 + 0.0001, 0.005)
    except BaseException:
        _signal(process, signal.SIGCONT)
        raise


def _signal(process: proc.Process, number: signal.Signals) -> None:
    """Send a signal to a process. Raises ProcessLookupError if its pid was reused."""
    pidfd = open_pidfd(process.pid)
    try:
        now = proc.inspect(process.pid)
        if now is None or now.started != process.started:
            raise ProcessLookupError
        if sys.platform == "win32":
            _signal_on_windows(process.pid, number)
        elif pidfd is None:
            os.kill(process.pid, number)
        else:
            signal.pidfd_send_signal(pidfd, number)
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _signal_on_windows(pid: int, number: signal.Signals) -> None:
    if sys.platform != "win32":
        return
    if number in (signal.SIGINT, signal.SIGBREAK):
        # The whole group gets it by the leader's pid; any other pid is an error.
        with contextlib.suppress(OSError):
            os.kill(pid, signal.CTRL_BREAK_EVENT)
    else:
        os.kill(pid, number)


def send_to_group(number: signal.Signals, leader: int) -> None:
    """Send a signal to the process group that ``leader`` leads. Raises OSError.

    On Windows INT and BREAK are Ctrl-Break, and TERM ends the leader.
    """
    if sys.platform != "win32":
        os.killpg(leader, number)
    elif number in (signal.SIGINT, signal.SIGBREAK, signal.SIGTERM):
        _signal_on_windows(leader, number)
    else:
        raise OSError(errno.EINVAL, "Windows can't send this signal")
