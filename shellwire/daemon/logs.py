"""The daemon's log: one record per line, rotated, readable only by its owner.

If the log can't be written (full disk, file of another user), only the record is lost: the next
record tries again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import math
import os
import queue
import stat
import sys
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

from shellwire.output import printable
from shellwire.server.rate_limited_log import RateLimitedLog, raised_at

if TYPE_CHECKING:
    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings

MAX_BYTES = 4 * 1024 * 1024
"""Size in bytes at which the log is rotated."""

BACKUPS = 3
"""Rotated logs that are kept."""

_STDERR = 2
_MAX_QUEUED = 1000
_FLUSH_SECONDS = 1.0


def set_up(home: Home, settings: Settings, *, foreground: bool) -> None:
    """Send every record of at least ``settings.log_level`` to the log file.

    In the foreground, send it to stderr too. Replaces an earlier set-up.
    """
    # logging would print its own failures to stderr, which in the background goes nowhere.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = [_PrivateFile(home)]
    if foreground:
        handlers.append(_QueuedStream(_STDERR))
    for handler in handlers:
        handler.setFormatter(_LineFormatter())
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    _quiet_libraries()


def _quiet_libraries() -> None:
    """Keep libraries from logging text that strangers send, and from flooding the log."""
    theirs = logging.getLogger("aiohttp")
    theirs.handlers[:] = [_WithoutText()]
    theirs.propagate = False
    logging.getLogger("asyncio").filters[:] = [_RateLimit()]


class _WithoutText(logging.Handler):
    """A handler that logs the place of an aiohttp record, not its text: that quotes requests."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._brief = RateLimitedLog(logging.getLogger(__name__))

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.name}, {record.module} line {record.lineno}"
        error = record.exc_info[1] if record.exc_info else None
        cause = f": {raised_at(error)}" if error is not None else ""
        self._brief.write(record.levelno, place, f"{place} reported something{cause}")


class _RateLimit(logging.Filter):
    """A filter for asyncio: one record per second and kind, without the text of aiohttp errors."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        kind = raised_at(error) if error is not None else f"{record.module} {record.lineno}"
        now = time.monotonic()
        if now - self._last.get(kind, -math.inf) < 1.0:
            return False
        self._last[kind] = now
        if error is not None and type(error).__module__.partition(".")[0] == "aiohttp":
            record.msg, record.args = "an exception of aiohttp's: %s", (kind,)
            record.exc_info = None
        return True


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file that is 0600 from the moment it exists."""

    def __init__(self, home: Home) -> None:
        # With delay, the file is opened in emit(), where logging catches errors.
        super().__init__(
            home.log_file, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True
        )

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        if sys.platform == "win32":
            descriptor = os.open(self.baseFilename, flags | os.O_BINARY)
        else:
            descriptor = os.open(self.baseFilename, flags | os.O_NONBLOCK, 0o600)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
        # Unbuffered: text that a full disk refused is dropped, and not written again at exit.
        return io.TextIOWrapper(
            io.FileIO(descriptor, "a"),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )


class _QueuedStream(logging.Handler):
    """A handler that writes to a descriptor from a thread of its own, so that it never blocks.

    A terminal stopped with ^S, or a full pipe, would otherwise stop the daemon with all its jobs.
    Records that don't fit the queue are dropped; the log file has them.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        # Not a Python stream: the blocked thread would hold its lock, which Python needs at exit.
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(_MAX_QUEUED)
        self._thread = threading.Thread(target=self._write, name="stderr", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            pass
        except Exception:
            self.handleError(record)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            # The reader may be gone; the daemon continues.
            with contextlib.suppress(OSError):
                left = f"{line}\n".encode(errors="backslashreplace")
                while left:
                    left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(_FLUSH_SECONDS)
        super().close()


class _LineFormatter(logging.Formatter):
    """A formatter with one line per record, in local time; a traceback follows indented.

    Clients choose much of the logged text. So control characters are escaped: no part of a record
    can look like another record, or act as a command to the terminal that shows it.
    """

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "milliseconds")
        line = f"{when} {record.levelname:<8} {record.name}: {printable(record.getMessage())}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n    {printable(part)}" for part in trace.splitlines())
        return line
