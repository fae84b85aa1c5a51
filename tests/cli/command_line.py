"""Run ``shellwire`` as a user does: as a process with arguments, output and an exit code."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

import shellwire
from shellwire.errors import HomeError
from shellwire.home import pidfile
from shellwire.home.paths import Home
from tests import forked
from tests.live import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = [sys.executable, "-m", "shellwire"]
SECONDS = PATIENCE


def as_text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """Decode the output, as ``subprocess.run`` does with ``text``."""
    out, err = (
        data.decode().replace("\r\n", "\n").replace("\r", "\n")
        for data in (done.stdout, done.stderr)
    )
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


class CommandLine:
    """``cli("status", "--json")`` runs ``shellwire status --json`` with the home ``cli.home``."""

    def __init__(self, home: Path) -> None:
        self.home = Home(home)
        self.environment = {
            **{key: value for key, value in os.environ.items() if "SHELLWIRE" not in key},
            "SHELLWIRE_HOME": str(home),
            "SHELLWIRE_LOGIN_ENV": "never",  # tests don't depend on the user's profile
            "PYTHONPATH": str(Path(shellwire.__file__).parents[1]),
        }

    def __call__(
        self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and wait for its end."""
        return as_text(self.in_bytes(*arguments, env=env, cwd=cwd))

    def in_bytes(
        self,
        *arguments: bytes | str,
        stdin: bytes | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | str | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command, and wait for its end; its stdin is /dev/null or a pipe with ``stdin``."""
        environment = {**self.environment, **(env or {})}
        words = [os.fsdecode(argument) for argument in arguments]
        if len(stdin or b"") <= select.PIPE_BUF and forked.SERVER.can_run(words, environment):
            return forked.SERVER.run(words, environment, cwd, SECONDS, stdin)
        return subprocess.run(
            [*PROGRAM, *words],
            env=environment,
            cwd=cwd,
            capture_output=True,
            stdin=subprocess.DEVNULL if stdin is None else None,
            input=stdin,
            timeout=SECONDS,
            check=False,
        )

    def begin(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command, and return its process."""
        return subprocess.Popen([*PROGRAM, *arguments], env=self.environment, text=True, **more)

    def ok(self, *arguments: str) -> str:
        """Run a command that succeeds and writes nothing to stderr; return its stdout."""
        done = self(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def refused(self, *arguments: str, code: int = 1) -> str:
        """Run a command that fails with one line on stderr; return that line."""
        done = self(*arguments)
        assert done.returncode == code, done
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def start(self, *flags: str) -> dict[str, Any]:
        """Start a daemon on a free port; return its status."""
        words = ("start", "--daemon", "--port", "0", *flags)
        if forked.SERVER.can_start_daemon(self.environment):
            done = forked.SERVER.run(words, self.environment, None, SECONDS)
            assert (done.returncode, done.stderr) == (0, b""), done
        else:
            self.ok(*words)
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return the output of ``status --json`` for a running daemon."""
        found: dict[str, Any] = json.loads(self.ok("status", "--json"))
        return found

    @contextlib.contextmanager
    def connected(self, client_id: str) -> Iterator[ClientConnection]:
        """Yield an authenticated connection to the daemon, open while the block runs."""
        token = self.home.token_file.read_text().strip()
        record = pidfile.read_live(self.home)
        assert record is not None
        assert record.url is not None
        with connect(record.url, proxy=None, open_timeout=PATIENCE) as connection:
            connection.send(json.dumps({"type": "auth", "token": token, "client_id": client_id}))
            answer = json.loads(connection.recv(SECONDS))
            assert answer["type"] == "status", answer
            yield connection

    def end_daemon(self) -> None:
        """Stop the daemon with its jobs if one runs, and wait until it is gone."""
        with contextlib.suppress(HomeError, ProcessLookupError):
            record = pidfile.read_live(self.home)
            if record is not None:
                _stop(record.pid)

    def kill_daemon(self) -> None:
        """Kill the daemon, as a crash would, and wait until it is gone."""
        record = pidfile.read_live(self.home)
        assert record is not None
        descriptor = os.pidfd_open(record.pid)
        os.kill(record.pid, signal.SIGKILL)
        select.select([descriptor], [], [])
        os.close(descriptor)


def _stop(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            # The first SIGTERM lets the daemon end its jobs; each further one skips the grace.
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if select.select([descriptor], [], [], 0.2)[0]:
                return
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)
    raise AssertionError(f"the daemon {pid} does not end on SIGTERM")


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a command that was started; kill it and wait for its end when the block is left."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def unread(cli: CommandLine, *arguments: str) -> int:
    """Run a command whose stdout is a pipe without reader; return its code. Its stderr is empty."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""
    return done.returncode
