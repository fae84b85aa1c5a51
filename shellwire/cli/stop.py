"""``shellwire stop``: stop the daemon."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

from shellwire.cli.control import stop_daemon
from shellwire.errors import NotRunning, ShellwireError
from shellwire.home import pidfile
from shellwire.home.paths import Home
from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from shellwire.home.pidfile import DaemonRecord

_MARGIN = 15.0
_POLL = 0.05


@click.command("stop")
def stop_command() -> None:
    """Stop the local daemon and wait until it is gone.

    Running commands have --grace seconds to finish.

    \b
    Example:
      shellwire stop
    """
    home = Home.locate()
    record = pidfile.find_live(home)
    if record is None:
        raise NotRunning("shellwire is not running")
    grace = Settings.grace if record.grace is None else record.grace
    timeout = grace + _MARGIN
    if sys.platform == "win32":
        # os.kill would terminate the daemon at once and leave its jobs behind.
        stop_daemon(home)
        ended = _poll_until_gone(record, timeout)
    else:
        ended = _end(record, timeout)
    if not ended:
        raise ShellwireError(
            f"the daemon (pid {record.pid}) did not stop within {timeout:g} s; see {home.log_file}"
        )
    pidfile.remove(home, record)  # it exists only if the daemon was killed
    click.echo("shellwire has stopped")


def _end(record: DaemonRecord, seconds: float) -> bool:
    """Send SIGTERM and wait; return whether the process has ended.

    A zombie counts as ended: some init processes reap late or never.
    """
    try:
        descriptor = _open_process(record.pid)
        if descriptor is None:
            os.kill(record.pid, signal.SIGTERM)
            return _poll_until_gone(record, seconds)
        return _end_by_descriptor(record, descriptor, seconds)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise ShellwireError(
            f"the daemon (pid {record.pid}) belongs to another user: {error.strerror}"
        ) from error


def _open_process(pid: int) -> int | None:
    """Return a pidfd, None on kernels without pidfd_open(2), which came with Linux 5.3."""
    if sys.platform == "win32" or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # an older kernel, or a sandbox that forbids it (Android)
        return None


def _end_by_descriptor(record: DaemonRecord, descriptor: int, seconds: float) -> bool:
    try:
        # The pid may have been reused before pidfd_open, but not after it.
        if not pidfile.is_live(record):
            return True
        if sys.platform != "win32":
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _poll_until_gone(record: DaemonRecord, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while pidfile.is_live(record):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True
