"""Proxies: which one the environment names for a host, and a tunnel through it (CONNECT).

``HTTP_PROXY`` is for ``ws`` and ``HTTPS_PROXY`` for ``wss``; ``ALL_PROXY`` is for both if that one
is not set. The lower-case name goes first. ``NO_PROXY`` lists hosts to connect to directly.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import re
import ssl
from typing import NamedTuple, cast
from urllib.parse import unquote, urlsplit

from shellwire.client.connect_errors import describe_cause
from shellwire.client.http_head import Head, InvalidHead
from shellwire.output import printable

_VARIABLES = {"ws": "http_proxy", "wss": "https_proxy"}
_PORTS = {"http": 80, "https": 443}


class ProxyError(ConnectionError):
    """No proxy can be used. The message does not name the host behind it."""


class Proxy(NamedTuple):
    """An HTTP proxy. ``name`` is its URL without user and password, for errors."""

    url: str
    name: str
    host: str
    port: int
    is_secure: bool
    authorization: str | None
    """The value of ``Proxy-Authorization``."""


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy to use for a daemon's URL, None to connect directly.

    Raises ProxyError if the variable does not name an HTTP proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    variable = _VARIABLES[parts.scheme]
    found = _variable(variable) or _variable("all_proxy")
    if not found or is_excepted(host, port, _variable("no_proxy")):
        return None
    given = found if "://" in found else f"http://{found}"
    try:
        proxy = urlsplit(given)
        usual_port = _PORTS[proxy.scheme]
        if not proxy.hostname:
            raise ValueError
        proxy_port = proxy.port or usual_port
    except (ValueError, KeyError):
        raise ProxyError(
            f"{variable.upper()} or ALL_PROXY names no HTTP proxy, as http://host:3128;"
            " NO_PROXY lists hosts to connect to directly"
        ) from None
    shown = f"[{proxy.hostname}]" if ":" in proxy.hostname else proxy.hostname
    return Proxy(
        url=given,
        name=printable(f"{proxy.scheme}://{shown}:{proxy_port}"),
        host=proxy.hostname,
        port=proxy_port,
        is_secure=proxy.scheme == "https",
        authorization=_authorization(proxy.username, proxy.password),
    )


def _variable(name: str) -> str:
    value = os.environ.get(name)
    # A CGI program gets the header `Proxy` of its request in HTTP_PROXY (RFC 3875, 4.1.18).
    if value is None and not (name == "http_proxy" and "REQUEST_METHOD" in os.environ):
        value = os.environ.get(name.upper())
    return (value or "").strip()


def _authorization(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def is_excepted(host: str, port: int, excepted: str) -> bool:
    """Tell whether ``NO_PROXY``'s value ``excepted`` lists a host.

    An entry is a domain (its subdomains are meant too), an address, a network as ``10.0.0.0/8``, or
    ``*``; the first two may end with ``:PORT``.
    """
    return any(_matches(host.lower(), port, each) for each in re.split(r"[\s,]+", excepted) if each)


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        address = _address(host)
        return address is not None and address in network
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        if int(number) != port:
            return False
        entry = name.strip("[]")
    domain = entry.lower().removeprefix("*").removeprefix(".")
    return host == domain or host.endswith(f".{domain}")


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address, not a name."""
    return _address(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


async def open_tunnel(proxy: Proxy, host: str, port: int) -> asyncio.Transport:
    """Connect to a host through a proxy; return a transport that has paused reading.

    Raises ProxyError if the proxy can't be reached, or if it refuses.
    """
    loop = asyncio.get_running_loop()
    answer = _Answer(proxy)
    context = ssl.create_default_context() if proxy.is_secure else None
    try:
        transport, _ = await loop.create_connection(
            lambda: answer, proxy.host, proxy.port, ssl=context
        )
    except OSError as error:
        reason = describe_cause(error)
        raise ProxyError(f"the proxy {proxy.name} can't be reached: {reason}") from None
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    try:
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        await answer.accepted
    except BaseException:
        transport.abort()
        raise
    return transport


class _Answer(asyncio.Protocol):
    """Reads the answer to CONNECT, and stops reading before what comes through the tunnel."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._head = Head()
        self._transport: asyncio.Transport | None = None
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.accepted.done():
            return
        assert self._transport is not None
        try:
            if not self._head.feed(data):
                return
        except InvalidHead as error:
            self._refuse(f"has sent {error}")
            return
        if 200 <= self._head.status < 300:
            self._transport.pause_reading()
            self.accepted.set_result(None)
        elif self._head.status == 407:
            other = "a" if self._proxy.authorization is None else "another"
            self._refuse(f"wants {other} user and password (407)")
        else:
            self._refuse(f"refused the connection ({self._head.status})")

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse("broke off the connection")

    def _refuse(self, how: str) -> None:
        if not self.accepted.done():
            self.accepted.set_exception(ProxyError(f"the proxy {self._proxy.name} {how}"))
