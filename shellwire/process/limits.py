"""The limit of open descriptors: raised for the daemon, handed back to what it starts.

A shell inherits its limits (getrlimit(2)), and programs behave differently under a high one: some
close every possible descriptor, select(2) fails above 1,024. So each child gets the soft limit that
the daemon itself was started with.
"""

from __future__ import annotations

import contextlib
import sys

MOST = 65_536
"""Descriptors that the daemon allows itself at most, whatever the hard limit is."""

_given: list[tuple[int, int]] = []


def raise_descriptors() -> None:
    """Raise our soft limit of descriptors to the hard one, or to MOST.

    Only where prlimit(2) can hand the old limit to a child (Linux); elsewhere it stays as it is.
    """
    if sys.platform == "win32":
        return
    import resource

    if not hasattr(resource, "prlimit"):
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it: then it stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _given[:] = [(soft, hard)]


def hand_back(pid: int) -> None:
    """Give a child that was just started the limit that the daemon was started with."""
    if sys.platform == "win32" or not _given:
        return
    import resource

    # It may have ended already, or have become another user's.
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, _given[0])


def most_descriptors() -> int:
    """Return how many descriptors we may have open."""
    if sys.platform == "win32":
        return MOST
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else soft
