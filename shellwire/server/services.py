"""The daemon's parts that the server uses: jobs, files, the access list and the limits."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.files.service import FileService
    from shellwire.jobs.registry import Registry
    from shellwire.protocol.messages import Limits
    from shellwire.server.access import AccessList
    from shellwire.server.identity import Authenticator


@dataclass(frozen=True, slots=True)
class PrincipalLimits:
    """What each principal but the owner may use at a time."""

    sessions: int = 5
    commands: int = 4
    queued: int = 16
    """Commands that wait."""
    connections: int = 8
    """WebSockets; and as many HTTP requests."""
    unread_bytes: int = 32 * 1024 * 1024
    """Output of ended jobs that its connections have not read."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the daemon that connections and requests use."""

    registry: Registry
    access: AccessList
    authenticators: Authenticator
    files: FileService | None
    """None on Windows, where no files are served."""
    limits: Limits
    shell: str
    stop_daemon: Callable[[], None]
    """Starts the daemon's shutdown, of which ``Connections.stop`` is a part."""
    principal_limits: PrincipalLimits = PrincipalLimits()
    features: tuple[str, ...] = ()
    home: str | None = None
    """The home directory of the daemon's user."""
    user: str | None = None
    """The name of the daemon's user."""
    instance: str = field(default_factory=lambda: secrets.token_hex(8))
    """Identifies this run of the daemon."""
    _started: float = field(default_factory=time.monotonic)

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started
