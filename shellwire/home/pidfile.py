"""The pid file: the daemon's process, and the address it listens on.

A pid alone proves nothing, for the kernel reuses pids. So the file also has the start time of the
process, and a daemon counts as running only if pid and start time match.
"""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shellwire.errors import HomeError
from shellwire.home import address
from shellwire.home.atomic import read_private, write_private
from shellwire.home.lock import daemon_lock_holder, holds_daemon_lock

if TYPE_CHECKING:
    from shellwire.home.paths import Home

_HAS_PROC = sys.platform.startswith(("linux", "android"))
_MAX_PID = 2**31 - 1
_TOLERANCE = 1.0


@dataclass(frozen=True)
class DaemonRecord:
    """One daemon, as its pid file describes it.

    The fields after ``start_time`` are None in a file of release 0.1.4, and without a file.
    """

    pid: int

    start_time: float
    """The process's start time, as returned by ``start_time()``."""

    host: str | None = None
    """Address that it is bound to."""

    port: int | None = None
    """TCP port that it is bound to."""

    version: str | None = None
    """Version of shellwire that it runs."""

    grace: float | None = None
    """Seconds that running commands have to finish when it stops."""

    control: int | None = None
    """TCP port on 127.0.0.1 for administration, where there is no Unix socket."""

    settings: dict[str, Any] | None = None
    """The fields of ``Settings`` with which it was started, as JSON holds them."""

    @classmethod
    def of_this_process(
        cls,
        *,
        host: str,
        port: int,
        version: str,
        grace: float,
        control: int | None = None,
        settings: dict[str, Any] | None = None,
    ) -> DaemonRecord:
        """Return the record of the calling process."""
        pid = os.getpid()
        started = start_time(pid)
        assert started is not None, "we are alive"
        return cls(pid, started, host, port, version, grace, control, settings)

    @property
    def url(self) -> str | None:
        """The URL for WebSocket clients, None if host or port is unknown."""
        if self.host is None or self.port is None:
            return None
        return address.url("ws", self.host, self.port)


def start_time(pid: int) -> float | None:
    """Return when process ``pid`` started, None if there is none or it is a zombie.

    On Linux it is in clock ticks since boot (field 22 of /proc/PID/stat, proc(5)): changes of the
    clock don't affect it, and release 0.1.4 wrote the same. Elsewhere it is in seconds since the
    epoch.
    """
    return _start_by_proc(pid) if _HAS_PROC else _start_by_psutil(pid)


def write(home: Home, record: DaemonRecord) -> None:
    """Replace the pid file. Raises HomeError."""
    write_private(home.pid_file, json.dumps(asdict(record)).encode() + b"\n")


def read_live(home: Home) -> DaemonRecord | None:
    """Return the record of the running daemon, None if none runs.

    These files count as none: a missing, stale or garbled one; a bare pid, as written by releases
    before 0.1.4, which may belong to a later process; and a forged one, whose process is no daemon
    of this home. Raises HomeError if the file can't be read.
    """
    record = _read(home)
    if record is None or not is_live(record) or not _is_daemon_of(home, record):
        return None
    return record


def find_live(home: Home) -> DaemonRecord | None:
    """Return as ``read_live``; without a valid pid file, the holder of the daemon lock.

    This also finds a daemon whose home was removed (on Linux), or that is starting or ending.
    """
    record = read_live(home)
    if record is not None:
        return record
    pid = daemon_lock_holder(home)
    started = None if pid is None else start_time(pid)
    return None if pid is None or started is None else DaemonRecord(pid, started)


def is_live(record: DaemonRecord) -> bool:
    """Return whether the process of ``record`` runs, and is not a later one with its pid."""
    started = start_time(record.pid)
    if started is None:
        return False
    # Ticks are exact. psutil recomputes the seconds each time, and rounding may differ.
    exact = started == record.start_time
    return exact if _HAS_PROC else abs(started - record.start_time) < _TOLERANCE


def _is_daemon_of(home: Home, record: DaemonRecord) -> bool:
    """Whether the live process of ``record`` is this home's daemon, which holds its lock.

    Release 0.1.4 had no lock, and open files can be listed on Linux only. In these cases the
    command line of the process decides.
    """
    if record.pid == os.getpid():
        return True
    holds = None if record.host is None else holds_daemon_lock(home, record.pid)
    return _runs_shellwire(record.pid) if holds is None else holds


def _runs_shellwire(pid: int) -> bool:
    words = [os.path.basename(word) for word in _command_line(pid)]
    return bool(words) and words[0].startswith("python") and "shellwire" in words


def _command_line(pid: int) -> list[str]:
    if _HAS_PROC:
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
        except OSError:
            return []
    import psutil  # takes 20 ms, and Linux does not need it

    try:
        return psutil.Process(pid).cmdline()
    except (psutil.Error, OSError):  # OSError: the pid is reused at this moment
        return []


def remove(home: Home, record: DaemonRecord) -> None:
    """Remove the pid file if it still has this ``record``. Raises HomeError."""
    if _read(home) != record:
        return
    try:
        home.pid_file.unlink(missing_ok=True)
    except OSError as error:
        raise HomeError(f"can't remove {home.pid_file}: {error.strerror}") from error


def _read(home: Home) -> DaemonRecord | None:
    content = read_private(home.pid_file)
    if content is None:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return _parse(found) if isinstance(found, dict) else None


def _parse(found: dict[str, Any]) -> DaemonRecord | None:
    pid = _number(found.get("pid"), 1, _MAX_PID)
    started = _number(found.get("start_time"), 0, math.inf)
    if pid is None or started is None:
        return None
    port, control = (_number(found.get(key), 1, 65535) for key in ("port", "control"))
    settings = found.get("settings")
    return DaemonRecord(
        int(pid),
        started,
        _text(found.get("host")),
        None if port is None else int(port),
        _text(found.get("version")),
        _number(found.get("grace"), 0, math.inf),
        None if control is None else int(control),
        settings if isinstance(settings, dict) else None,
    )


def _number(value: object, least: float, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if least <= value <= most else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _start_by_proc(pid: int) -> float | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # no such process, or we may not read it
        return None
    # Field 2, the name, may contain blanks and parentheses; field 3 is the state.
    fields = stat[stat.rindex(b")") + 1 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _start_by_psutil(pid: int) -> float | None:
    import psutil  # takes 20 ms, and Linux does not need it

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, OSError):  # OSError: the pid is reused at this moment
        return None
