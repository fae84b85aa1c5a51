"""The address a daemon listens on: loopback or not, how to reach it, and its URLs."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to ``host``.

    A name other than ``localhost`` counts as reachable from outside, whatever it resolves to now.
    """
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def connectable(host: str) -> str:
    """Return the address at which this machine reaches a daemon bound to ``host``.

    It is ``host`` itself, or the loopback address if ``host`` means all interfaces.
    """
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def url(scheme: str, host: str, port: int) -> str:
    """Return ``scheme://host:port`` for a daemon bound to ``host``, IPv6 in brackets."""
    reached = connectable(host)
    return f"{scheme}://[{reached}]:{port}" if ":" in reached else f"{scheme}://{reached}:{port}"
