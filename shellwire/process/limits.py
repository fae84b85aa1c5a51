"""The limit of open descriptors: raised for the daemon, restored for the processes it starts.

A shell inherits its limits (getrlimit(2)), and programs behave differently under a high one: some
close every possible descriptor, and select(2) fails above 1,024. So each child gets the soft limit
that the daemon was started with.
"""

from __future__ import annotations

import contextlib
import sys

MAX_DESCRIPTORS = 65_536
"""Most descriptors that the daemon allows itself, whatever the hard limit is."""

# The (soft, hard) limit before it was raised; empty if it was not.
_original: list[tuple[int, int]] = []


def raise_descriptors() -> None:
    """Raise our soft limit of descriptors to the hard one, or to MAX_DESCRIPTORS.

    Does nothing where prlimit(2), which sets a child's limit back, is missing (not Linux).
    """
    if sys.platform == "win32":
        return
    import resource

    if not hasattr(resource, "prlimit"):
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _original[:] = [(soft, hard)]


def restore_limit(pid: int) -> None:
    """Give a child just started the limit that the daemon was started with."""
    if sys.platform == "win32" or not _original:
        return
    import resource

    # The child may have ended already, or have changed its user.
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, _original[0])


def max_descriptors() -> int:
    """Return how many descriptors we may have open."""
    if sys.platform == "win32":
        return MAX_DESCRIPTORS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
