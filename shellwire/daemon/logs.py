"""The daemon's log: one record a line, rotated, readable only to its owner.

A log that can't be written, because the disk is full or the file belongs to another, costs its
records and nothing else: each record tries anew.
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

KEPT = 3
"""Rotated logs that are kept."""

_STDERR = 2
_WAITING = 1000
_LAST_WORDS = 1.0


def set_up(home: Home, settings: Settings, *, foreground: bool) -> None:
    """Send every record of at least ``settings.log_level`` to the log file.

    In the foreground to stderr too. Replaces what was set up before.
    """
    # Nobody is there to read what logging prints about its own failures.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = [_PrivateFile(home)]
    if foreground:
        handlers.append(_Aside(_STDERR))
    for handler in handlers:
        handler.setFormatter(_Lines())
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    _quiet_libraries()


def _quiet_libraries() -> None:
    """Let no library write what strangers send, nor as often as they like."""
    theirs = logging.getLogger("aiohttp")
    theirs.handlers[:] = [_Withheld()]
    theirs.propagate = False
    logging.getLogger("asyncio").filters[:] = [_Rare()]


class _Withheld(logging.Handler):
    """Says where aiohttp has reported something, not what: its texts quote requests."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._brief = RateLimitedLog(logging.getLogger(__name__))

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.name}, {record.module} line {record.lineno}"
        error = record.exc_info[1] if record.exc_info else None
        told = f": {raised_at(error)}" if error is not None else ""
        self._brief.write(record.levelno, place, f"{place} reported something{told}")


class _Rare(logging.Filter):
    """Passes one record of asyncio's a second of each kind; without what aiohttp's errors quote."""

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
        # With delay, the file is opened where logging catches what goes wrong.
        super().__init__(
            home.log_file, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8", delay=True
        )

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        if sys.platform == "win32":
            descriptor = os.open(self.baseFilename, flags | os.O_BINARY)
        else:
            descriptor = os.open(self.baseFilename, flags | os.O_NONBLOCK, 0o600)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)
        # Unbuffered: what a full disk refused is gone, and does not come up again at exit.
        return io.TextIOWrapper(
            io.FileIO(descriptor, "a"),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )


class _Aside(logging.Handler):
    """Writes to a descriptor from a thread of its own, for who holds its other end may not read.

    A terminal that was stopped with ^S or a pipe that is full would stop the daemon with all its
    jobs. What does not fit the queue meanwhile stands in the log file.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        # Not a Python stream: its lock would be held for ever, and the end of Python wants it.
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
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
            # A reader that is gone does not come back, but the daemon goes on.
            with contextlib.suppress(OSError):
                left = f"{line}\n".encode(errors="backslashreplace")
                while left:
                    left = left[os.write(self._descriptor, left) :]

    def close(self) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(_LAST_WORDS)
        super().close()


class _Lines(logging.Formatter):
    """One line a record, with the local time; a traceback follows indented.

    Much of what is logged was chosen by a client. So control characters are escaped, and no part
    of a record can pose as another or as a command to the terminal that shows it.
    """

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "milliseconds")
        line = f"{when} {record.levelname:<8} {record.name}: {printable(record.getMessage())}"
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n    {printable(part)}" for part in trace.splitlines())
        return line
