"""Who may come in: Host and Origin, the slow-down of wrong tokens, and what the home must say."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WINDOW = 60.0
_SLOW_FROM = 3
_REFUSE_FROM = 10
_DELAY = 0.2
_MAX_ADDRESSES = 4096
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class AccessList(Protocol):
    """Who is known and what opens the door: what the server needs of the home; handed in."""

    def token(self) -> str:
        """Return the token that is valid now."""
        ...

    def is_revoked(self, client_id: str) -> bool:
        """Whether this client may not connect."""
        ...

    def seen(self, client_id: str) -> None:
        """Remember that this client has authenticated now."""
        ...

    def clients(self) -> Sequence[Mapping[str, Any]]:
        """Return client_id, first_seen, last_seen, is_revoked of every known client."""
        ...

    def reload(self) -> None:
        """Read token and clients anew; on a damaged file the old ones hold."""
        ...


def token_matches(given: str | None, valid: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return given is not None and hmac.compare_digest(given.encode(), valid.encode())


def _host_of(netloc: str) -> str | None:
    """Return the host of ``host[:port]`` in lower case, an IPv6 address without brackets."""
    try:
        return urlsplit(f"//{netloc}").hostname
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_port(netloc: str, scheme: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(f"//{netloc}")
        return parts.hostname, parts.port or _DEFAULT_PORTS.get(scheme)
    except ValueError:
        return None, None


class Gate:
    """Checks a handshake's Host and Origin, against DNS rebinding and against foreign pages."""

    def __init__(
        self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._hosts = {bound.lower(), *(_host_of(host) or host.lower() for host in hosts)}
        self._origins = {origin.rstrip("/").lower() for origin in origins}

    def refusal(
        self, host: str | None, origin: str | None, local_address: str | None
    ) -> str | None:
        """Return why the handshake is refused, or None.

        ``local_address`` is the address that it came in on: bound to a wildcard, that is the
        daemon's too.
        """
        name = _host_of(host) if host else None
        if name is None or not (_is_loopback(name) or name in self._hosts or name == local_address):
            return "this Host is not the daemon's; --allow-host adds one"
        if origin is None or origin.lower() in self._origins:
            return None
        scheme, _, netloc = origin.partition("://")
        if netloc and _with_port(netloc, scheme) == _with_port(host or "", scheme):
            return None
        return "this Origin is not the daemon's; --allow-origin adds one"


class Throttle:
    """Slows an address down that sends wrong tokens. Holds at most 4,096 addresses."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def _recent(self, address: str) -> deque[float]:
        times = self._wrong.get(address, deque())
        now = time.monotonic()
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if not times:
            self._wrong.pop(address, None)
        return times

    def wrong(self, address: str) -> float:
        """Count a wrong token. Returns how many seconds late it should be answered."""
        times = self._recent(address)
        times.append(time.monotonic())
        self._wrong[address] = times
        self._wrong.move_to_end(address)
        while len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        return _DELAY if len(times) >= _SLOW_FROM else 0.0

    def retry_after(self, address: str) -> int | None:
        """Return after how many seconds an address that is shut out may try again, or None."""
        times = self._recent(address)
        if len(times) < _REFUSE_FROM:
            return None
        return max(1, round(times[-_REFUSE_FROM] + _WINDOW - time.monotonic()))
