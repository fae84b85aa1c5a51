"""Read the environment of the user's login shell, for a daemon started with a bare one.

systemd, cron and a phone's boot start programs with little more than the system's own PATH. So the
daemon runs the login shell once, at its start, to get the variables that the user's profile sets.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import sys
from typing import TYPE_CHECKING

from shellwire.errors import ShellwireError, SpawnError
from shellwire.process import kill
from shellwire.process.spawn import spawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.process.reap import Exit, Reaper

log = logging.getLogger(__name__)

SECONDS = 5.0
"""Seconds that the login shell has to print its environment."""

MAX_SIZE = 4 * 1024 * 1024
"""Most bytes of environment that are accepted; execve(2) accepts half of that on Linux."""

# Directories that are in PATH before any profile is read: set by systemd (systemd.exec(5)), cron
# (crontab(5)), launchd and Android.
_SYSTEM = frozenset(
    b"/usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin"
    b" /system/bin /system/xbin /vendor/bin".split()
)

# Variables of the process itself, or that each shell sets.
_IGNORED = frozenset({b"PWD", b"OLDPWD", b"SHLVL", b"_"})
_OURS = b"SHELLWIRE_"

# The program is passed in variables, for all shells expand "$NAME" alike, but quote differently.
# With exec no logout script runs, so none of its output follows.
_COMMAND = b'exec "$SHELLWIRE_PYTHON" -I -S -c "$SHELLWIRE_PRINTER" "$SHELLWIRE_MARK"'
_PRINTER = (
    b"import os, sys; mark = b'\\0\\0%b\\0\\0' % sys.argv[1].encode();"
    b" said = b'\\0'.join(b'%b=%b' % item for item in os.environb.items());"
    b" sys.stdout.buffer.write(mark + said + mark)"
)

_CHUNK = 65536


class _NoEnvironment(ShellwireError):
    """The login shell did not print its environment."""


async def start_environment(
    mode: str, environ: Mapping[bytes, bytes], reaper: Reaper
) -> dict[bytes, bytes]:
    """Return ``environ``, merged with the login shell's environment if ``mode`` says so.

    ``always`` and ``never`` decide it; ``auto`` runs the login shell if PATH is bare. If the
    profile fails, a line is logged.
    """
    own = dict(environ)
    if mode == "never" or (mode == "auto" and not is_bare(own)):
        return own
    account = _account()
    shell = _login_shell(account, own)
    if shell is None:
        log.log(
            logging.WARNING if mode == "always" else logging.INFO,
            "the environment stays unchanged: this user has no login shell",
        )
        return own
    try:
        login = await login_environment(shell, {**account, **own}, reaper)
    except (_NoEnvironment, SpawnError) as error:
        log.warning("the environment stays unchanged: the login shell %s %s", shell, error)
        return own
    merged = merge(own, login)
    # Names only: values may be secrets.
    taken = sorted(os.fsdecode(name) for name in merged if merged[name] != own.get(name))
    log.info("taken from the login shell %s: %s", shell, ", ".join(taken) or "nothing")
    return merged


def is_bare(environ: Mapping[bytes, bytes]) -> bool:
    """Whether PATH has no directory that a login shell's profile may have added.

    That is, it has only the system's own directories, and the one that a virtual environment adds
    for this very program. So no shell must be run to find out.
    """
    system = _SYSTEM | {os.path.join(environ.get(b"PREFIX", b"/usr"), b"bin")}  # Termux sets it
    if sys.prefix != sys.base_prefix:
        system |= {os.path.join(os.fsencode(sys.prefix), b"bin")}
    entries = _entries(environ.get(b"PATH", b""))
    return all(entry.rstrip(b"/") in system for entry in entries)


def merge(own: Mapping[bytes, bytes], login: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return ``own`` with the variables it lacks; in PATH, the login shell's directories first."""
    merged = dict(own)
    for name, value in login.items():
        if name not in _IGNORED and not name.startswith(_OURS):
            merged.setdefault(name, value)
    path = list(dict.fromkeys(_entries(login.get(b"PATH", b"")) + _entries(own.get(b"PATH", b""))))
    if path and b"PATH" in login:
        merged[b"PATH"] = b":".join(path)
    return merged


def _entries(path: bytes) -> list[bytes]:
    return [entry for entry in path.split(b":") if entry]


def _account() -> dict[bytes, bytes]:
    """Return the variables that login(1) sets, from the user database."""
    try:
        user = pwd.getpwuid(os.getuid())
    except KeyError:
        return {}
    found = {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    found["SHELL"] = user.pw_shell
    return {name.encode(): os.fsencode(value) for name, value in found.items() if value}


def _login_shell(*environments: Mapping[bytes, bytes]) -> str | None:
    """Return the first usable login shell: the account's before $SHELL, which cron sets."""
    for environ in environments:
        shell = os.fsdecode(environ.get(b"SHELL", b""))
        usable = os.path.isabs(shell) and os.access(shell, os.X_OK)
        if usable and os.path.basename(shell) not in ("nologin", "false"):
            return shell
    return None


async def login_environment(
    shell: str, environ: Mapping[bytes, bytes], reaper: Reaper, *, seconds: float = SECONDS
) -> dict[bytes, bytes]:
    """Run ``shell`` as a login shell in ``environ``; return its resulting environment.

    On failure all its processes are ended. Raises SpawnError, or _NoEnvironment with the reason.
    """
    mark = secrets.token_hex(16).encode()
    tag = b"login." + secrets.token_hex(8).encode()
    with contextlib.ExitStack() as stack:
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        try:
            pid = _start(shell, environ, mark, tag, writing)
        finally:
            os.close(writing)
        tree = kill.Tree(pid, tag, subreaper=reaper.adopts)
        listener = _Reader(reading, mark)
        stack.callback(listener.stop)

        def on_exit(status: Exit) -> None:
            tree.is_leaderless = True
            listener.ended(status)

        reaper.watch(pid, on_exit)
        try:
            async with asyncio.timeout(seconds):
                return _parse(await listener.result)
        except TimeoutError as error:
            raise _NoEnvironment(f"did not print its environment within {seconds:g} s") from error
        finally:
            # On success, background processes of the profile (an agent) continue.
            if listener.result.cancelled() or listener.result.exception() is not None:
                await kill.end(tree)


def _start(shell: str, environ: Mapping[bytes, bytes], mark: bytes, tag: bytes, out: int) -> int:
    own = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    ours = {
        kill.TAG_NAME: tag,
        b"SHELLWIRE_PYTHON": os.fsencode(sys.executable or ""),
        b"SHELLWIRE_PRINTER": _PRINTER,
        b"SHELLWIRE_MARK": mark,
    }
    with open(os.devnull, "r+b", buffering=0) as null:
        argv = [os.fsencode(shell), b"-l", b"-c", _COMMAND]
        return spawn(argv, {**own, **ours}, {0: null.fileno(), 1: out, 2: null.fileno()})


def _parse(result: bytes) -> dict[bytes, bytes]:
    entries = (entry.partition(b"=") for entry in result.split(b"\0"))
    return {name: value for name, equals, value in entries if name and equals}


class _Reader:
    """A reader of the shell's output; ``result`` becomes the bytes between two marks.

    A profile can't print a mark, not even if it prints its whole environment: that has no two NULs
    in a row.
    """

    def __init__(self, fd: int, mark: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self.result: asyncio.Future[bytes] = self._loop.create_future()
        self._fd = fd
        self._mark = b"\0\0" + mark + b"\0\0"
        self._held = b""
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def stop(self) -> None:
        """Stop reading."""
        self._loop.remove_reader(self._fd)
        self.result.cancel()

    def ended(self, status: Exit) -> None:
        """Read the rest of the pipe, which children of the shell may hold open."""
        for _ in range(MAX_SIZE // _CHUNK):
            if self.result.done() or not self._read():
                break
        self._fail(f"ended with exit code {status.code} before it printed its environment")

    def _read(self) -> bool:
        """Read a chunk; return whether there was any data."""
        if self.result.done():
            return False
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        if not data:  # the shell's exit status will give the reason
            self._loop.remove_reader(self._fd)
            return False
        self._held += data
        self._scan()
        return True

    def _scan(self) -> None:
        begin = self._held.find(self._mark)
        if begin < 0:
            self._held = self._held[-len(self._mark) :]
            return
        self._held = self._held[begin:]
        end = self._held.find(self._mark, len(self._mark))
        if end >= 0:
            self.result.set_result(self._held[len(self._mark) : end])
        elif len(self._held) > MAX_SIZE:
            self._fail("has too large an environment")

    def _fail(self, reason: str) -> None:
        if not self.result.done():
            self.result.set_exception(_NoEnvironment(reason))
