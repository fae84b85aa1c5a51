"""Where a daemon is: at a URL, with a token, or at the Unix socket of a home."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from shellwire.errors import InvalidUrl, NotRunning
from shellwire.home.paths import Home

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


class Target(NamedTuple):
    """What one attempt to connect needs. ``home`` is that of the Unix socket, if it is to be it."""

    url: str
    token: str | None
    home: Home | None


@dataclass(frozen=True)
class Endpoint:
    """A daemon's place: ``url`` and ``token``, or else ``home``."""

    url: str | None = None
    token: str | None = None
    home: Home | None = None

    @classmethod
    def find(cls, url: str | None = None, token: str | None = None) -> Endpoint:
        """Return the place that is meant: what is given, else the variables', else the local one.

        Raises InvalidUrl, and HomeError if there is no home to look in.
        """
        variable = os.environ.get("SHELLWIRE_URL") or None
        chosen = url or variable
        if chosen is None:
            return cls(home=Home.locate())
        # The variable's token is for the variable's daemon, not for whatever else is called.
        if token is None and (variable is None or chosen == variable):
            token = os.environ.get("SHELLWIRE_TOKEN") or None
        return cls(url=checked(chosen), token=token)

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.url or str(self.home.socket_file if self.home else "")

    def target(self) -> Target:
        """Return where to connect now. Raises NotRunning."""
        if self.url is not None:
            return Target(self.url, self.token, None)
        assert self.home is not None
        if self.home.socket_file.is_socket():
            return Target("ws://localhost/ws", None, self.home)
        return _by_pid_file(self.home)


def checked(url: str) -> str:
    """Return ``url`` as a WebSocket's, with the path ``/ws`` if it has none. Raises InvalidUrl."""
    try:
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme)
        _ = parts.port
    except ValueError as error:
        raise InvalidUrl(f"{url}: {error}") from None
    if scheme is None or not parts.hostname or parts.username is not None:
        raise InvalidUrl(f"{url}: expected a URL as ws://host:7842")
    path = parts.path if parts.path.strip("/") else "/ws"
    return parts._replace(scheme=scheme, path=path, fragment="").geturl()


def _by_pid_file(home: Home) -> Target:
    """Find the TCP port, where there is no Unix socket."""
    from shellwire.home import pidfile
    from shellwire.home.token import read_token

    record = pidfile.read_live(home)
    if record is None or record.url is None:
        raise NotRunning(f"shellwire is not running: no daemon serves {home.root}")
    return Target(checked(record.url), read_token(home), None)
