"""The children of a process, and all that is below it (proc(5), children)."""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import TYPE_CHECKING

from shellwire.process import proc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shellwire.process.proc import Process

# A read of a list ends short of a page only at its end (seq_read_iter, fs/seq_file.c).
_HALF_PAGE = 2048


@cache
def has_children_files() -> bool:
    """Whether the kernel has /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)."""
    return proc.has_proc() and os.path.exists(f"{proc.PROC}/self/task/{os.getpid()}/children")


def children(pid: int) -> list[int]:
    """Return the pids of the direct children of ``pid``, zombies included."""
    if not has_children_files():
        return [each.pid for each in map(proc.inspect, proc.pids()) if each and each.ppid == pid]
    found: list[int] = []
    try:
        threads = os.listdir(f"{proc.PROC}/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"{proc.PROC}/{pid}/task/{thread}/children", "rb") as file:
                found.extend(map(int, file.read().split()))
        except OSError:
            continue
    return found


def adopted_children() -> list[int]:
    """Return our children, adopted orphans among them, without those that another thread started.

    Orphans become children of the first living thread (find_alive_thread, kernel/exit.c).
    """
    pid = os.getpid()
    try:
        fd = os.open(f"{proc.PROC}/{pid}/task/{pid}/children", os.O_RDONLY)
    except OSError:
        return children(pid)
    try:
        found = b""
        while more := os.read(fd, 65536):
            found += more
            if len(more) < _HALF_PAGE:
                break
        return [int(each) for each in found.split()]
    finally:
        os.close(fd)


def is_childless(pid: int) -> bool:
    """Whether ``pid``, which has one thread, has no child, zombies included; False if unknown.

    Unlike a list of many children, an empty one is exact (proc(5), children).
    """
    try:
        fd = os.open(f"{proc.PROC}/{pid}/task/{pid}/children", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not os.read(fd, 1)
    except OSError:
        return False
    finally:
        os.close(fd)


async def descendants(root: int) -> AsyncIterator[Process]:
    """Yield every process below ``root``, parents before children, zombies included.

    ``root`` must be a subreaper. Processes that it adopts meanwhile are found too: its children
    are read again until none is new.
    """
    seen = {root}
    while todo := [pid for pid in _below(root) if pid not in seen]:
        while todo:
            pid = todo.pop(0)
            process = proc.inspect(pid) if pid not in seen else None
            seen.add(pid)
            if process is None:
                continue
            if has_children_files():
                todo.extend(children(pid))
            yield process
            if len(seen) % proc.BATCH == 0:
                await asyncio.sleep(0)


def _below(root: int) -> list[int]:
    """Return the children of ``root``; where listing children is slow, all its descendants."""
    if has_children_files():
        return children(root)
    by_parent: dict[int, list[int]] = {}
    for each in map(proc.inspect, proc.pids()):
        if each is not None:
            by_parent.setdefault(each.ppid, []).append(each.pid)
    found = by_parent.get(root, [])
    for pid in found:  # grows while it is read
        found.extend(by_parent.get(pid, ()))
    return found
