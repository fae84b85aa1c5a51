"""Addresses of daemons: a URL with a token, or the Unix socket of a home directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from shellwire.errors import InvalidUrl, NotRunning
from shellwire.home.paths import Home

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


class Target(NamedTuple):
    """The parameters of one connection attempt. ``home`` is set to use that home's Unix socket."""

    url: str
    token: str | None
    home: Home | None
    is_local: bool = False
    """Whether the daemon is this user's on this machine: no proxy is used."""


@dataclass(frozen=True)
class Endpoint:
    """The address of a daemon: ``url`` and ``token``, or else ``home``."""

    url: str | None = None
    token: str | None = None
    home: Home | None = None

    @classmethod
    def find(cls, url: str | None = None, token: str | None = None) -> Endpoint:
        """Return the endpoint given by ``url``, by the environment, or else the local daemon's.

        Raises InvalidUrl, and HomeError if no home directory can be found.
        """
        variable = os.environ.get("SHELLWIRE_URL") or None
        chosen = url or variable
        if chosen is None:
            return cls(home=Home.locate())
        # Never send SHELLWIRE_TOKEN to a daemon other than that of SHELLWIRE_URL.
        if token is None and (variable is None or chosen == variable):
            token = os.environ.get("SHELLWIRE_TOKEN") or None
        return cls(url=checked(chosen), token=token)

    @property
    def name(self) -> str:
        """The daemon's name in errors."""
        return self.url or str(self.home.socket_file if self.home else "")

    def target(self) -> Target:
        """Return the parameters for connecting now. Raises NotRunning."""
        if self.url is not None:
            return Target(self.url, self.token, None)
        assert self.home is not None
        if self.home.socket_file.is_socket():
            return Target("ws://localhost/ws", None, self.home, is_local=True)
        return _by_pid_file(self.home)


def checked(url: str) -> str:
    """Return ``url`` with a WebSocket scheme, and path ``/ws`` by default. Raises InvalidUrl."""
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
    """Return the TCP address from the pid file, where there is no Unix socket."""
    from shellwire.home import pidfile
    from shellwire.home.token import read_token

    record = pidfile.read_live(home)
    if record is None or record.url is None:
        raise NotRunning(f"shellwire is not running: no daemon serves {home.root}")
    return Target(checked(record.url), read_token(home), None, is_local=True)
