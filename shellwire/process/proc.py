"""What the kernel tells about processes: who descends from whom, sessions, start times, tags.

On Linux this reads /proc (proc(5)) directly, because an ending looks at every descendant; elsewhere
psutil answers the same questions.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import psutil


@dataclass(frozen=True, slots=True)
class Process:
    """One living process. ``started`` tells it from a later one with the same pid."""

    pid: int
    ppid: int
    session: int
    started: float
    zombie: bool


def _stat(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return None
    # The second field is the name in parentheses, and may hold parentheses and spaces itself.
    fields = line[line.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        ppid=int(fields[1]),
        session=int(fields[3]),
        started=float(fields[19]),
        zombie=fields[0] in (b"Z", b"X"),
    )


@cache
def has_children_files() -> bool:
    """Whether the kernel has /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN)."""
    return os.path.exists("/proc/self/task/self/children") or os.path.exists(
        f"/proc/self/task/{os.getpid()}/children"
    )


def children(pid: int) -> list[int]:
    """Return the pids of the direct children of ``pid``, zombies included."""
    found: list[int] = []
    if not has_children_files():
        try:
            return [child.pid for child in psutil.Process(pid).children()]
        except psutil.Error:
            return found
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.extend(map(int, file.read().split()))
        except OSError:
            continue
    return found


def inspect(pid: int) -> Process | None:
    """Return what is known of ``pid``, or None when there is no such process."""
    if os.path.exists("/proc/self/stat"):
        return _stat(pid)
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Process(
                pid=pid,
                ppid=process.ppid(),
                session=os.getsid(pid),
                started=process.create_time(),
                zombie=process.status() == psutil.STATUS_ZOMBIE,
            )
    except (psutil.Error, OSError):
        return None


def descendants(root: int) -> list[Process]:
    """Return every process below ``root``, parents before children, zombies included."""
    found: list[Process] = []
    todo = [root]
    seen = {root}
    while todo:
        for pid in children(todo.pop()):
            process = inspect(pid) if pid not in seen else None
            if process is not None:
                seen.add(pid)
                found.append(process)
                todo.append(pid)
    return found


def environ_has(pid: int, name: bytes, value: bytes, *, prefix: bool = False) -> bool:
    """Whether ``pid`` was started with ``name`` set to ``value``, or to what begins with it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environ = b"\0" + file.read()
    except OSError:
        try:
            found = os.fsencode(psutil.Process(pid).environ().get(os.fsdecode(name), ""))
        except psutil.Error:
            return False
        return found.startswith(value) if prefix else found == value
    return b"\0" + name + b"=" + value + (b"" if prefix else b"\0") in environ
