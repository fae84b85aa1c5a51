"""The start report: one line by which a background daemon tells its starter how it went."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from shellwire.daemon import health
from shellwire.errors import ShellwireError, StartError, Unreachable
from shellwire.home.lock import daemon_lock

if TYPE_CHECKING:
    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings

_log = logging.getLogger(__name__)

START_SECONDS = 60.0
"""Seconds that a daemon has to report."""

HEALTH_SECONDS = 10.0
"""Seconds that a started daemon has to answer ``/health``."""


class Started(NamedTuple):
    """A daemon that runs in the background."""

    pid: int
    host: str
    port: int


def read_report(line: bytes) -> Started:
    """Parse a report, a whole line. Raises StartError with the daemon's own reason."""
    report: dict[str, Any] = json.loads(line)
    if "failed" in report:
        raise StartError(report["failed"])
    return Started(**report)


def check_health(started: Started, home: Home) -> Started:
    """Return ``started`` once it answers ``/health``. Raises StartError if it does not."""
    try:
        health.ask_port(started.host, started.port, seconds=HEALTH_SECONDS)
    except Unreachable as error:
        raise StartError(f"the daemon has started, but {error}; see {home.log_file}") from error
    return started


class Reporter:
    """The daemon's end of the report pipe. It sends one report and ignores later ones."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def serve(
        self, home: Home, settings: Settings, *, start_cwd: str, starter: int | None = None
    ) -> int:
        """Run the daemon until it is stopped, and report its start. Returns the exit status."""
        try:
            with daemon_lock(home):
                from shellwire.daemon.run import serve

                return serve(
                    home,
                    settings,
                    start_cwd=start_cwd,
                    on_ready=self.ready,
                    foreground=False,
                    starter=starter,
                )
        except ShellwireError as error:
            _log.error("%s", error)
            self.failed(str(error))
        except BaseException as error:
            _log.critical("unexpected", exc_info=True)
            self.failed(f"{type(error).__name__}: {error}")
        finally:
            logging.shutdown()
        return 1

    def ready(self, host: str, port: int) -> None:
        """Report where the daemon listens. Raises StartError if the starter no longer waits."""
        try:
            self._send({"pid": os.getpid(), "host": host, "port": port})
        except BrokenPipeError as error:
            raise StartError("the process that started the daemon did not wait for it") from error

    def failed(self, reason: str) -> None:
        """Report in one line why the daemon ends; ignored after ``ready``."""
        with contextlib.suppress(BrokenPipeError):
            self._send({"failed": " ".join(reason.split())})

    def _send(self, report: dict[str, Any]) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.write(descriptor, json.dumps(report).encode() + b"\n")
        finally:
            os.close(descriptor)
