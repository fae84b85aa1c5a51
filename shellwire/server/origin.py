"""Check a handshake's Host and Origin headers, against DNS rebinding and foreign pages."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})
_AUTHORITY = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{0,5}))?", re.ASCII
)


class _Authority(NamedTuple):
    """``host[:port]`` (RFC 3986, 3.2), with the host in canonical form."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> _Authority | None:
        match = _AUTHORITY.fullmatch(text)
        if match is None:
            return None
        return cls(_canonical(match["literal"] or match["name"]), int(match["port"] or 0) or None)


def _canonical(host: str) -> str:
    """Return a name in lower case without the final dot, or an address in its shortest form."""
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


def canonical_host(text: str) -> str:
    """Return an allowed host as it is compared with the Host header; a port is dropped.

    Raises ValueError if no Host header can match it, such as ``*.example``.
    """
    if _is_address(text):
        return _canonical(text)
    authority = _Authority.parse(_ascii(text))
    if authority is None or not authority.host:
        raise ValueError("no Host header can match it")
    return authority.host


def canonical_origin(text: str) -> str:
    """Return an allowed origin as it is compared with the Origin header.

    Raises ValueError if no Origin header can match it, such as ``https://*.example``.
    """
    scheme, mark, rest = text.rstrip("/").partition("://")
    rest = _ascii(rest)
    authority = _Authority.parse(rest)
    if not mark or authority is None or not authority.host or rest.endswith(":"):
        raise ValueError("no Origin header can match it")
    return _simplified(f"{scheme}://{rest}")


def _simplified(origin: str) -> str:
    """Return an origin in lower case, without its scheme's own port, as browsers send it."""
    scheme, _, rest = origin.lower().partition("://")
    default = _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{rest.removesuffix(f':{default}')}"


def _ascii(authority: str) -> str:
    """Return a host as browsers send it, xn--… for other scripts. Raises ValueError."""
    if authority.isascii():
        return authority
    name, colon, port = authority.partition(":")
    return f"{name.encode('idna').decode()}{colon}{port}"


class OriginCheck:
    """Checks a handshake's Host and Origin headers against the names that the daemon allows."""

    def __init__(
        self, bound: str, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self._hosts = {_canonical(bound), *map(canonical_host, hosts)}
        self._origins = {canonical_origin(origin) for origin in origins}

    def refusal(
        self, hosts: Sequence[str], origins: Sequence[str], local_address: str | None
    ) -> str | None:
        """Return why a handshake with these Host and Origin headers is refused, or None.

        Several different hosts are refused. ``local_address`` is the local address of the
        connection; it is allowed, too, since the daemon may be bound to a wildcard address.
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
        if _simplified(origin) in self._origins:
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
