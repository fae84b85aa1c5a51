"""Slow down addresses that send wrong tokens."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from typing import NamedTuple

_WINDOW = 60.0
_SLOW_FROM = 3
_REFUSE_AFTER = 10
_DELAY = 0.2
_MAX_ADDRESSES = 4096


class Slowdown(NamedTuple):
    """How to refuse a wrong token."""

    seconds: float
    """Seconds by which to delay the refusal."""
    retry_after: int | None
    """Seconds until the address may try again; None unless it has sent too many."""


class Throttle:
    """Delays the refusals for addresses that send wrong tokens. Remembers at most 4,096 addresses.

    Only refusals are delayed: a client at the same address with the right token is admitted.
    """

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wrong(self, address: str) -> Slowdown:
        """Count a wrong token from ``address``."""
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
            # When the oldest of the last ten leaves the window, the next is only delayed again.
            return Slowdown(0.0, max(1, math.ceil(times[1] + _WINDOW - now)))
        return Slowdown(_DELAY if len(times) >= _SLOW_FROM else 0.0, None)


def _network(address: str) -> str:
    """Return the unit that is counted: an IPv4 address, or the /64 of an IPv6 address.

    A single host commonly has a whole /64 (RFC 4291, 2.5.4; RFC 8981).
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
