"""Run ``shellwire`` commands in processes that are forked, not started: imports are done once.

Each command is still a process of its own, with its own arguments, environment, directory and
descriptors. Tests of the program's start and of signals start real processes instead.

``python -m tests.fork_server FD`` is the server. For each command the socket FD brings four
descriptors: a socket for the request, pid and exit code, then the command's stdin, stdout, stderr.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = Path(__file__).parents[1]

# They may execute themselves again, or serve until they are stopped.
_NEVER_FORKED = {"start", "run", "mcp"}

# Modules that the commands import when they run.
_IMPORTED_LATE = (
    "aiohttp",
    "concurrent.futures.thread",
    "shellwire.client",
    "shellwire.daemon.daemonize",
    "shellwire.daemon.run",
    "tarfile",
)


class ForkedProcess:
    """A command that runs, with the methods and attributes of ``subprocess.Popen``."""

    def __init__(self, server: socket.socket, stdout: int) -> None:
        self._server = server
        self._lines = server.makefile()
        self.pid = int(self._lines.readline())
        self.stdout = os.fdopen(stdout)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the command runs."""
        if self.returncode is None and select.select([self._server], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end of the command; return its exit code."""
        if self.returncode is None:
            if not select.select([self._server], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._server.close()
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, None]:
        """Wait for the end of the command; return the rest of its stdout."""
        self.wait(timeout)
        if self.stdout.closed:
            return "", None
        with self.stdout:
            return self.stdout.read(), None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, if the command still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The server as tests see it: the first command starts it, ``stop`` ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._lock = threading.Lock()

    def can_run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a forked command does the same as one that is started."""
        return _NEVER_FORKED.isdisjoint(arguments) and _is_possible(environment)

    def can_start_daemon(self, environment: Mapping[str, str]) -> bool:
        """Whether a daemon may be forked, by a test that is not about the start."""
        return "SHELLWIRE_TOKEN" not in environment and _is_possible(environment)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | str | None,
        seconds: float,
        stdin: bytes | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command as ``subprocess.run`` does; ``stdin`` fits into a pipe."""
        given = os.open(os.devnull, os.O_RDONLY) if stdin is None else _pipe_with(stdin)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        server = self._fork(arguments, environment, cwd, (given, out_end, err_end))
        for descriptor in (given, out_end, err_end):
            os.close(descriptor)
        with server, open(out, "rb", 0), open(err, "rb", 0):
            read = _read_to_end([out, err, server.fileno()], seconds)
        if read is None:
            raise subprocess.TimeoutExpired(list(arguments), seconds)
        stdout, stderr, answers = read
        code = int(answers.split()[1])
        return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)

    def begin(
        self, arguments: Sequence[str], environment: Mapping[str, str], stderr: int
    ) -> ForkedProcess:
        """Begin a command with an empty stdin, a pipe as stdout, and this stderr."""
        out, out_end = os.pipe()
        with open(os.devnull) as null:
            standard = (null.fileno(), out_end, stderr)
            server = self._fork(arguments, environment, None, standard)
        os.close(out_end)
        return ForkedProcess(server, out)

    def stop(self) -> None:
        """End the server, and commands that still run."""
        if self._process is not None and self._requests is not None:
            self._requests.close()
            self._process.wait()
            self._process = None

    def _fork(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | str | None,
        standard: tuple[int, int, int],
    ) -> socket.socket:
        """Have a command forked; return a socket that brings its pid, then its exit code."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            socket.send_fds(self._started(), [b"\0"], [theirs.fileno(), *standard])
        request = [list(arguments), dict(environment), str(cwd or Path.cwd())]
        ours.sendall(json.dumps(request).encode() + b"\n")
        return ours

    def _started(self) -> socket.socket:
        if self._process is None or self._requests is None:
            self._requests, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(theirs.fileno())],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        return self._requests


SERVER = ForkServer()


def _pipe_with(data: bytes) -> int:
    """Return a pipe to read ``data`` from, and then its end."""
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


def _is_possible(environment: Mapping[str, str]) -> bool:
    same = _read_at_start(environment) == _read_at_start(_environment())
    return same and hasattr(socket, "send_fds") and hasattr(os, "pidfd_open")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Python heeds before a program begins."""
    prefixes = ("PYTHON", "LC_", "LANG", "TZ")
    found = {name: value for name, value in environment.items() if name.startswith(prefixes)}
    return {"PYTHONPATH": str(_ROOT), **found}


def _read_to_end(descriptors: Sequence[int], seconds: float) -> list[bytes] | None:
    """Read all descriptors to their ends; return None if that takes too long."""
    read: dict[int, bytearray] = {descriptor: bytearray() for descriptor in descriptors}
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(until - time.monotonic())
            if not ready and time.monotonic() >= until:
                return None
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                read[key.fd] += data
                if not data:
                    selector.unregister(key.fd)
    return [bytes(data) for data in read.values()]


# The server --------------------------------------------------------------------------------------


def _serve(requests: socket.socket) -> list[int]:
    """Fork a process for each request; in that process return its descriptors."""
    running: dict[int, tuple[int, socket.socket]] = {}
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not requests:
                selector.unregister(key.fd)
                pid, answers = running.pop(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with answers, contextlib.suppress(OSError):
                    answers.sendall(f"{code}\n".encode())
                continue
            _, descriptors, _, _ = socket.recv_fds(requests, 1, 4)
            if not descriptors:
                for pid, _ in running.values():
                    os.kill(pid, signal.SIGKILL)
                sys.exit()
            pid = os.fork()
            if pid == 0:
                selector.close()
                requests.close()
                for _, answers in running.values():
                    answers.close()
                for descriptor in running:
                    os.close(descriptor)
                return descriptors
            for descriptor in descriptors[1:]:
                os.close(descriptor)
            pidfd = os.pidfd_open(pid)
            answers = socket.socket(fileno=descriptors[0])
            answers.sendall(f"{pid}\n".encode())
            running[pidfd] = pid, answers
            selector.register(pidfd, selectors.EVENT_READ)


def _become_command(descriptors: Sequence[int]) -> None:
    with socket.socket(fileno=descriptors[0]) as connection, connection.makefile() as lines:
        arguments, environment, cwd = json.loads(lines.readline())
    for number, descriptor in enumerate(descriptors[1:]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = [str(_ROOT / "shellwire" / "__main__.py"), *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from shellwire.cli import COMMANDS, main

    for command in COMMANDS:
        if command != "mcp":
            COMMANDS[command]
    for module in _IMPORTED_LATE:
        import_module(module)
    gc.freeze()
    _become_command(_serve(socket.socket(fileno=int(sys.argv[1]))))
    main(prog_name="shellwire")
