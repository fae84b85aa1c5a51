"""Run the daemon: set up the process, start all parts, and stop them in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from shellwire import __version__
from shellwire.daemon import logs
from shellwire.daemon.build import build
from shellwire.daemon.unix_socket import unix_socket
from shellwire.errors import HomeError
from shellwire.home import pidfile
from shellwire.process.limits import raise_descriptors

if sys.platform == "win32":
    from shellwire.process.portable import LoopSignalListener as SignalListener
    from shellwire.process.portable import ThreadReaper as Reaper
else:
    from shellwire.process.reap import Reaper
    from shellwire.process.signal_listener import SignalListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.daemon.build import Parts
    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings
    from shellwire.jobs.registry import Registry

log = logging.getLogger(__name__)


def serve(
    home: Home,
    settings: Settings,
    *,
    start_cwd: str,
    on_ready: Callable[[str, int], None],
    foreground: bool,
    starter: int | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status.

    ``start_cwd`` is the directory in which contexts start; ``starter`` is the process that waits
    for our start, if not this one. ``on_ready(host, port)`` is called once clients can connect.
    Raises StartError or HomeError if the start fails.
    """
    logs.set_up(home, settings, foreground=foreground)
    raise_descriptors()
    _keep_descriptors_private()
    cwd = _logical(start_cwd)
    os.chdir("/")
    return asyncio.run(_Daemon(home, settings, starter or os.getpid()).run(cwd, on_ready))


def _keep_descriptors_private() -> None:
    """Make inherited descriptors close-on-exec, so that no child gets them."""
    if sys.platform == "win32":
        return  # Popen inherits no other handles there
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # listdir's own descriptor is closed by now
                os.set_inheritable(int(name), False)


def _logical(cwd: str) -> str:
    """Return ``$PWD`` if it names ``cwd``: the path with the user's symlinks."""
    pwd = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if os.path.isabs(pwd) and os.path.samefile(pwd, cwd):
            return pwd
    return cwd


class _Daemon:
    def __init__(self, home: Home, settings: Settings, starter: int) -> None:
        self._home = home
        self._starter = starter
        self._settings = settings
        self._stop = asyncio.Event()
        self._registry: Registry | None = None

    async def run(self, cwd: str, on_ready: Callable[[str, int], None]) -> int:
        signals = SignalListener()
        self._listen_to(signals)
        reaper = Reaper()
        reaper.start(signals)
        parts = await build(
            self._home, self._settings, cwd=cwd, reaper=reaper, stop=self._on_signal
        )
        self._registry = parts.registry
        with contextlib.ExitStack() as stack:
            stack.callback(signals.close)
            stack.callback(reaper.stop)
            stack.callback(parts.registry.close)
            try:
                on_ready(*await self._start(parts, stack))
                await self._stop.wait()
                log.info("stopping")
                await parts.server.stop_listening()
                await parts.connections.stop(self._settings.grace)
                parts.journal.remove()
            finally:
                parts.journal.close()
                await parts.server.stop()
                if parts.files is not None:
                    await parts.files.close()
                parts.tempfiles.close()
                parts.access.save()
        log.info("stopped")
        return 0

    async def _start(self, parts: Parts, stack: contextlib.ExitStack) -> tuple[str, int]:
        """Listen, and write the pid file. Returns host and port."""
        await parts.journal.recover(parts.registry, self._starter)
        host, port = await parts.server.start(self._settings.host, self._settings.port)
        control = None
        if sys.platform == "win32":
            control = await parts.server.start_control()
        else:
            await parts.server.start_unix(stack.enter_context(unix_socket(self._home)))
        parts.access.token()
        record = pidfile.DaemonRecord.of_this_process(
            host=host,
            port=port,
            version=__version__,
            grace=self._settings.grace,
            control=control,
            # Tuples become lists, so that the record equals the one that is read back.
            settings=json.loads(json.dumps(asdict(self._settings))),
        )
        pidfile.write(self._home, record)
        stack.callback(self._remove_pid_file, record)
        log.info("shellwire %s listens on %s port %d", __version__, host, port)
        # Objects that exist now stay: no full collection needs to visit them again.
        gc.freeze()
        return host, port

    def _remove_pid_file(self, record: pidfile.DaemonRecord) -> None:
        try:
            pidfile.remove(self._home, record)
        except HomeError as error:
            log.error("%s", error)

    def _listen_to(self, signals: SignalListener) -> None:
        names = {"SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"} & signal.Signals.__members__.keys()
        for number in map(signal.Signals.__getitem__, names):
            # A signal ignored at the start stays ignored: nohup(1) and a shell's & rely on that.
            if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                signals.listen(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set() and self._registry is not None:
            # A second signal ends the running commands without further grace.
            self._registry.skip_grace()
        self._stop.set()
