"""Who may come in: Host and Origin, the slow-down of wrong tokens, and what the home must say."""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WINDOW = 60.0
_SLOW_FROM = 3
_REFUSE_AFTER = 10
_DELAY = 0.2
_MAX_ADDRESSES = 4096
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})
_AUTHORITY = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)


class AccessList(Protocol):
    """Who is known and what opens the door: what the server needs of the home; handed in."""

    def token(self) -> str:
        """Return the token that is valid now."""
        ...

    def is_revoked(self, client_id: str) -> bool:
        """Whether this client may not connect."""
        ...

    def seen(self, client_id: str) -> None:
        """Remember that this client comes or goes now."""
        ...

    def clients(self) -> Sequence[Mapping[str, Any]]:
        """Return client_id, first_seen, last_seen, is_revoked of every known client.

        The times are None for one that has never connected.
        """
        ...

    def reload(self) -> None:
        """Read token and clients anew; on a damaged file the old ones hold."""
        ...


def token_matches(given: str | None, valid: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    # A header may hold any bytes, which aiohttp hands out as surrogates.
    return given is not None and hmac.compare_digest(
        given.encode(errors="surrogatepass"), valid.encode()
    )


class _Authority(NamedTuple):
    """``host[:port]`` (RFC 3986, 3.2), the host as every spelling of it is compared."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> _Authority | None:
        match = _AUTHORITY.fullmatch(text)
        if match is None:
            return None
        return cls(_canonical(match["literal"] or match["name"]), int(match["port"] or 0) or None)


def _canonical(host: str) -> str:
    """Return a name in lower case without the root's dot, an address in its shortest form."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate:
    """Checks a handshake's Host and Origin, against DNS rebinding and against foreign pages."""

    def __init__(
        self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._hosts = {_canonical(bound)}
        for host in hosts:
            authority = None if _is_address(host) else _Authority.parse(host)
            self._hosts.add(authority.host if authority else _canonical(host))
        self._origins = {origin.rstrip("/").lower() for origin in origins}

    def refusal(
        self, hosts: Sequence[str], origins: Sequence[str], local_address: str | None
    ) -> str | None:
        """Return why the handshake with these Host and Origin headers is refused, or None.

        One that names several hosts is nobody's. ``local_address`` is the address that it came in
        on: bound to a wildcard, that is the daemon's too.
        """
        authority = _Authority.parse(hosts[0]) if len(set(hosts)) == 1 else None
        if authority is None or not self._is_ours(authority.host, local_address):
            return "this Host is not the daemon's; --allow-host adds one"
        if not all(self._may_call(origin, authority) for origin in origins):
            return "this Origin is not the daemon's; --allow-origin adds one"
        return None

    def _is_ours(self, host: str, local_address: str | None) -> bool:
        if _is_loopback(host) or host in self._hosts:
            return True
        return local_address is not None and host == _canonical(local_address)

    def _may_call(self, origin: str, authority: _Authority) -> bool:
        if origin.lower() in self._origins:
            return True
        scheme, _, rest = origin.partition("://")
        default = _DEFAULT_PORTS.get(scheme.lower())
        page = _Authority.parse(rest)
        if page is None or default is None:
            return False
        return page.host == authority.host and (page.port or default) == (authority.port or default)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Slowdown(NamedTuple):
    """How a wrong token is to be refused."""

    seconds: float
    """How long the refusal waits."""
    retry_after: int | None
    """After how many seconds the address may try again, once it has sent too many."""


class Throttle:
    """Slows down the refusals of an address that sends wrong tokens. Holds at most 4,096 of them.

    Nothing else depends on it: whoever shares the address and has the right token is admitted.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wrong(self, address: str) -> Slowdown:
        """Count a wrong token that came from ``address``."""
        network = _network(address)
        now = time.monotonic()
        times = self._wrong.setdefault(network, deque(maxlen=_REFUSE_AFTER + 1))
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        times.append(now)
        self._wrong.move_to_end(network)
        while len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)
        if len(times) > _REFUSE_AFTER:
            # The next one is slow again, not refused at once, when the first of ten is old enough.
            return Slowdown(0.0, max(1, math.ceil(times[1] + _WINDOW - now)))
        return Slowdown(_DELAY if len(times) >= _SLOW_FROM else 0.0, None)


def _network(address: str) -> str:
    """Return what is counted together: an IPv4 address, or the /64 of an IPv6 one.

    One host has a whole /64 to itself (RFC 4291, 2.5.4; RFC 8981).
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(found)
