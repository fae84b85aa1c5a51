"""Watch the descriptors of jobs with one epoll instance, which the event loop watches.

A command needs four descriptors watched: three pipes and a pidfd. The event loop's ``add_reader``
and ``remove_reader`` take some forty calls for each; here it is one system call. An epoll
descriptor is itself readable while a descriptor in it is (epoll(7)).
"""

from __future__ import annotations

import asyncio
import logging
import select
import sys
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_MAX_EVENTS = 64
"""Callbacks in one turn of the event loop; the rest come in the next turn."""


class Poller(Protocol):
    """Calls back from the event loop while a descriptor is readable, hung up or broken."""

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Call ``ready()`` whenever ``fd`` can be read. Watching again replaces ``ready``."""
        ...

    def forget(self, fd: int) -> None:
        """Stop watching ``fd``, if it is watched. Call this before ``fd`` is closed."""
        ...


class LoopPoller:
    """The Poller of other systems: each descriptor is watched by the event loop itself."""

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        asyncio.get_running_loop().add_reader(fd, ready)

    def forget(self, fd: int) -> None:
        asyncio.get_running_loop().remove_reader(fd)


if sys.platform != "win32" and hasattr(select, "epoll"):

    class EpollPoller:
        """The Poller of Linux."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._callbacks: dict[int, Callable[[], None]] = {}
            asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._dispatch)

        def watch(self, fd: int, ready: Callable[[], None]) -> None:
            if fd not in self._callbacks:
                self._epoll.register(fd, select.EPOLLIN)
            self._callbacks[fd] = ready

        def forget(self, fd: int) -> None:
            if self._callbacks.pop(fd, None) is not None:
                self._epoll.unregister(fd)

        def _dispatch(self) -> None:
            for fd, _ in self._epoll.poll(0, _MAX_EVENTS):
                # A callback before this one may have closed the descriptor, and another may have
                # its number: every callback must bear to be called without need.
                ready = self._callbacks.get(fd)
                if ready is not None:
                    try:
                        ready()
                    except Exception:
                        log.exception("a callback for descriptor %d failed", fd)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, Poller] = WeakKeyDictionary()


def running_poller() -> Poller:
    """Return the poller of the running event loop."""
    loop = asyncio.get_running_loop()
    poller = _pollers.get(loop)
    if poller is None:
        if sys.platform != "win32" and hasattr(select, "epoll"):
            poller = EpollPoller()
        else:
            poller = LoopPoller()
        _pollers[loop] = poller
    return poller
