"""The fork server: a process that has imported ``shellwire``, and forks it for each command.

``python -m tests.fork_server FD`` is started by tests/forked.py. For each command the socket FD
brings four descriptors: a socket for the request, pid and exit code, then the command's stdin,
stdout and stderr.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]

# Modules that the commands import when they run.
_IMPORTED_LATE = (
    "aiohttp",
    "concurrent.futures.thread",
    "shellwire.client",
    "shellwire.daemon.daemonize",
    "shellwire.daemon.run",
    "tarfile",
)


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
