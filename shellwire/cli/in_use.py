"""What clients and jobs use of the running daemon, and would lose by a changed setting."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shellwire.cli.control import list_clients, list_jobs
from shellwire.errors import Unreachable
from shellwire.home import address
from shellwire.home.hosts import load_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.home.paths import Home
    from shellwire.home.pidfile import DaemonRecord

_NAMED = 5
_EVERYWHERE = ("0.0.0.0", "::")


class InUse:
    """Clients and jobs of the running daemon; each is requested once, when it is first needed.

    ``new`` has the value of each setting after the change.
    """

    def __init__(self, home: Home, record: DaemonRecord, new: Mapping[str, Any]) -> None:
        self._home = home
        self._record = record
        self.new = new
        self._failure: Unreachable | None = None

    def loss(self, name: str, old: Any) -> str | None:
        """Return what the setting ``name``, now ``old``, would take away; None if nothing.

        Raises Unreachable if the daemon does not answer.
        """
        check = _CHECKS.get(name)
        return None if check is None else check(self, old, self.new[name])

    @cached_property
    def live_jobs(self) -> list[dict[str, Any]]:
        """The jobs that run or wait. Raises Unreachable."""
        return [job for job in self._ask(list_jobs) if job["ended_at"] is None]

    @cached_property
    def _clients(self) -> list[dict[str, Any]]:
        return self._ask(list_clients)

    def _ask(self, request: Callable[[Home], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Send a request, unless an earlier one was in vain: each may take ten seconds."""
        if self._failure is None:
            try:
                return request(self._home)
            except Unreachable as error:
                self._failure = error
        raise self._failure

    def _running(self, *kinds: str) -> list[dict[str, Any]]:
        started = [job for job in self.live_jobs if job["started_at"] is not None]
        return [job for job in started if not kinds or job["kind"] in kinds]

    def _of_clients(self, _: int, new: int) -> str | None:
        names = [each["client_id"] for each in self._clients if each["is_connected"]]
        if len(names) <= new:
            return None
        return f"{len(names)} clients are connected now ({_listed(names)})"

    def _of_processes(self, _: int, new: int) -> str | None:
        if self.new["max_sessions"] is not None:
            running = len(self._running("command"))
            return f"{running} commands run now" if running > new else None
        running = len(self._running())
        return f"{running} commands and sessions run now" if running > new else None

    def _of_sessions(self, _: int | None, new: int | None) -> str | None:
        if new is None:  # sessions would be counted with the commands
            return self._of_processes(0, self.new["max_processes"])
        running = len(self._running("session"))
        return f"{running} sessions run now" if running > new else None

    def _of_queue(self, _: int, new: int) -> str | None:
        queued = len(self.live_jobs) - len(self._running())
        return f"{queued} commands are queued now" if queued > new else None

    def _of_output(self, _: int, new: int) -> str | None:
        names = [job["id"] for job in self._running("command") if job["end"] > new > 0]
        return f"running commands have more output already ({_listed(names)})" if names else None

    def _of_host(self, old: str, new: str) -> str | None:
        where = "another address" if old in _EVERYWHERE else old
        users = [] if _covers(new, old) else self._users()
        return f"clients no longer reach it at {where} ({_listed(users)})" if users else None

    def _of_port(self, _old: int, _new: int) -> str | None:
        users = self._users()
        at = f"port {self._record.port}"
        return f"clients no longer reach it at {at} ({_listed(users)})" if users else None

    def _users(self) -> list[str]:
        """Return the saved logins to this daemon, and the clients that have connected by TCP."""
        known = [each["client_id"] for each in self._clients if not each["is_revoked"]]
        saved = [name for name, host in load_hosts(self._home).items() if self._is_here(host.url)]
        return [f"host {name}" for name in saved] + [f"client {name}" for name in known]

    def _is_here(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:  # hosts.json was edited by hand
            return False
        here = host == self._record.host or address.is_loopback(host)
        return here and port == self._record.port

    def _of_names(self, old: list[str], new: list[str]) -> str | None:
        gone = [each for each in old if each not in new]
        return f"{_listed(gone)} would be refused" if gone else None


_CHECKS: dict[str, Callable[[InUse, Any, Any], str | None]] = {
    "host": InUse._of_host,
    "port": InUse._of_port,
    "max_processes": InUse._of_processes,
    "max_sessions": InUse._of_sessions,
    "max_queue": InUse._of_queue,
    "max_clients": InUse._of_clients,
    "max_output": InUse._of_output,
    "allow_host": InUse._of_names,
    "allow_origin": InUse._of_names,
}


def _covers(new: str, old: str) -> bool:
    """Whether a daemon bound to ``new`` is also reached at the address ``old``."""
    # asyncio binds "::" with IPV6_V6ONLY (ipv6(7)): it does not cover IPv4.
    everywhere = "::" if ":" in old else "0.0.0.0"
    return new == everywhere or (new.lower() == "localhost" and old in ("127.0.0.1", "::1"))


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
