"""Slow down an address that sends wrong tokens."""

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
