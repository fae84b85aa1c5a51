"""Stop a job's shell between its report and its exit, with ptrace(2), and let it go later."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.jobs.observe import becomes

if TYPE_CHECKING:
    from tests.live import Client, Daemon

_SYSCALL, _DETACH, _SEIZE, _INTERRUPT, _GET_SYSCALL_INFO = 24, 17, 0x4206, 0x4207, 0x420E
_TRACE_SYSGOOD = 1
_IS_SYSCALL = signal.SIGTRAP | 0x80
_ENTRY, _EXIT = 1, 2
_WALL = 0x40000000
_LINE = re.compile(rb"[0-9a-f]{16} \d{1,3}\n")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, address: int = 0, data: Any = None) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace: {os.strerror(number)}")


@dataclass(frozen=True)
class Held:
    """A job whose shell has reported, and is stopped before it exits."""

    job: str
    pid: int

    def go(self) -> None:
        """Let the shell exit, if it has not died."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    async def gone(self, daemon: Daemon) -> None:
        """Wait until the daemon has reaped the shell."""
        await becomes(lambda: self.pid not in daemon.children())


async def hold(
    client: Client,
    command: str,
    *,
    going: str | None = None,
    stopped: Daemon | None = None,
    **fields: Any,
) -> Held:
    """Run ``command``, and stop its shell when it has written its last line to the daemon.

    ``going`` is a running job instead, which waits for a line of input. A shell that ends without
    its last line makes this fail. ``stopped`` is a daemon that is stopped meanwhile: it finds the
    last output and the line at the same time.
    """
    job = going
    if job is None:
        job = await client.start(f"read -r _; {command}", open_stdin=True, **fields)
    jobs = (await client.ask({"type": "list_jobs"}))["jobs"]
    pid = next(each["pid"] for each in jobs if (each["client_id"], each["id"]) == (client.id, job))
    _ptrace(_SEIZE, pid, data=_TRACE_SYSGOOD)
    _ptrace(_INTERRUPT, pid)
    assert (await client.ask({"type": "send_input", "id": job, "data": "\n"}))["type"] == "ack"
    if stopped is not None:
        os.kill(stopped.pid, signal.SIGSTOP)
    _run_to_line(pid)
    if stopped is not None:
        os.kill(stopped.pid, signal.SIGCONT)
    return Held(job, pid)


def _run_to_line(pid: int) -> None:
    passed = False
    while True:
        _, status = os.waitpid(pid, _WALL)
        assert os.WIFSTOPPED(status), f"the shell ended without its line: {status}"
        stopped_by = os.WSTOPSIG(status)
        deliver = 0
        if stopped_by == _IS_SYSCALL:
            kind, written = _system_call(pid)
            if kind == _ENTRY:
                passed = _LINE.fullmatch(written) is not None
            elif passed:
                break
        elif status >> 16 == 0 and stopped_by != signal.SIGTRAP:
            deliver = stopped_by
        _ptrace(_SYSCALL, pid, data=deliver)
    # It stops when it returns from write(2).
    os.kill(pid, signal.SIGSTOP)
    _ptrace(_DETACH, pid)
    while _state(pid) != "T":
        os.sched_yield()


def _system_call(pid: int) -> tuple[int, bytes]:
    """Return whether ``pid`` enters or leaves a system call, and what it would write."""
    info = ctypes.create_string_buffer(88)
    _ptrace(_GET_SYSCALL_INFO, pid, len(info), ctypes.addressof(info))
    kind, _, address, count = struct.unpack_from("=B23x8xQQQ", info)
    if kind != _ENTRY or not 0 < count <= 64:
        return kind, b""
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        return kind, os.pread(memory, count, address)
    except (OSError, OverflowError):  # these arguments are no buffer
        return kind, b""
    finally:
        os.close(memory)


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]
