"""The pipe by which a daemon in the background tells who started it how that went: one line."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, NamedTuple

from shellwire.errors import StartError

START_SECONDS = 60.0
"""Seconds after which a daemon that reports nothing is given up."""

HEALTH_SECONDS = 10.0
"""Seconds that a daemon which listens has to answer ``/health``."""


class Started(NamedTuple):
    """A daemon that runs in the background."""

    pid: int
    host: str
    port: int


def read_report(line: bytes) -> Started:
    """Return what a whole line says. Raises StartError with the daemon's own reason."""
    report: dict[str, Any] = json.loads(line)
    if "failed" in report:
        raise StartError(report["failed"])
    return Started(**report)


class Reporter:
    """The daemon's end of the pipe. Takes one report; later ones have no reader any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def ready(self, host: str, port: int) -> None:
        """Tell where the daemon listens. Raises StartError if nobody waits for it any more."""
        try:
            self._send({"pid": os.getpid(), "host": host, "port": port})
        except BrokenPipeError as error:
            raise StartError("whoever started the daemon did not wait for it") from error

    def failed(self, reason: str) -> None:
        """Tell in one line why the daemon ends, if it never was ready."""
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
