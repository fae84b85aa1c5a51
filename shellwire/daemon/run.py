"""The daemon's life: put the rooms together, serve, and stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from typing import TYPE_CHECKING

from shellwire import __version__
from shellwire.daemon import logs
from shellwire.daemon.access import HomeAccess
from shellwire.daemon.journal import HomeJournal
from shellwire.errors import HomeError, StartError
from shellwire.files import compression
from shellwire.home import pidfile
from shellwire.home.socket import socket_address
from shellwire.home.tempfiles import HomeTempfiles
from shellwire.jobs.contexts import Contexts
from shellwire.jobs.ended import Retention
from shellwire.jobs.engine import Engine
from shellwire.jobs.registry import Registry
from shellwire.process.limits import raise_descriptors
from shellwire.protocol.codec import MAX_FRAME
from shellwire.protocol.messages import Limits
from shellwire.protocol.text import FEATURE
from shellwire.server.app import Server
from shellwire.server.connections import Connections
from shellwire.server.origin import OriginCheck
from shellwire.shell import rewrite
from shellwire.shell.context import initial_state
from shellwire.shell.find import find_dialect

if sys.platform == "win32":
    from shellwire.process.portable import LoopSignals as Signals
    from shellwire.process.portable import ThreadReaper as Reaper
else:
    from shellwire.process.reap import Reaper
    from shellwire.process.signal_listener import Signals
    from shellwire.shell.login_env import start_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shellwire.files.service import Files
    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings

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

    ``start_cwd`` is the directory in which contexts are born, ``starter`` the process that waits
    for us to start, if it is not us. ``on_ready(host, port)`` is called once clients can connect.
    Raises StartError or HomeError when it does not come to that.
    """
    logs.set_up(home, settings, foreground=foreground)
    raise_descriptors()
    _keep_descriptors_private()
    cwd = _logical(start_cwd)
    os.chdir("/")
    return asyncio.run(_Daemon(home, settings, starter or os.getpid()).run(cwd, on_ready))


def _keep_descriptors_private() -> None:
    """Let no child inherit what the daemon itself inherited."""
    if sys.platform == "win32":
        return  # where a child is given what it inherits
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # the one that listed them is closed by now
                os.set_inheritable(int(name), False)


def _logical(cwd: str) -> str:
    """Return ``$PWD`` where it names ``cwd``: the path as the user came to it."""
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
        signals = Signals()
        self._listen_to(signals)
        settings = self._settings
        access = HomeAccess(self._home)
        reaper = Reaper()
        reaper.start(signals)
        environ = await _environment(settings, reaper)
        birth = initial_state(environ, cwd)
        path = os.fsdecode(environ.get(b"PATH", b"")) or None
        dialect = await find_dialect(settings.shell, birth, reaper, path=path)
        instance = secrets.token_hex(8)
        journal = HomeJournal(self._home, instance)
        engine = Engine(
            dialect,
            reaper,
            settings.buffer,
            spares=settings.spares,
            rewrites=settings.rewrite,
            idle_timeout=settings.idle_timeout,
            journal=journal,
            instance=instance,
        )
        self._registry = registry = Registry(
            engine,
            Contexts(birth),
            max_processes=settings.max_processes,
            max_queue=settings.max_queue,
            max_sessions=settings.max_sessions,
            retention=Retention(settings.retain),
            detach_ttl=settings.detach_ttl,
        )
        litter = HomeTempfiles(self._home)
        files = _files(settings, litter, reaper)
        connections = Connections(
            registry,
            access,
            files,
            _limits(settings),
            dialect.path,
            self._on_signal,
            _features(engine),
            _user_home(environ),
            _user_name(),
        )
        origin = OriginCheck(
            settings.host, hosts=settings.allow_host, origins=settings.allow_origin
        )
        server = Server(
            connections,
            origin,
            ping_interval=settings.ping_interval,
            compress=settings.compress,
        )
        with contextlib.ExitStack() as stack:
            stack.callback(signals.close)
            stack.callback(reaper.stop)
            stack.callback(registry.close)
            try:
                await journal.recover(registry, self._starter)
                host, port = await server.start(settings.host, settings.port)
                control = None
                if sys.platform == "win32":
                    control = await server.start_control()
                else:
                    await server.start_unix(stack.enter_context(_unix_socket(self._home)))
                access.token()
                record = pidfile.DaemonRecord.of_this_process(
                    host=host,
                    port=port,
                    version=__version__,
                    grace=settings.grace,
                    control=control,
                )
                pidfile.write(self._home, record)
                stack.callback(self._remove_pid_file, record)
                log.info("shellwire %s listens on %s port %d", __version__, host, port)
                # What is there now stays: no full collection need look at it again.
                gc.freeze()
                on_ready(host, port)
                await self._stop.wait()
                log.info("stopping")
                await server.stop_listening()
                await connections.stop(settings.grace)
                journal.remove()
            finally:
                journal.close()
                await server.stop()
                if files is not None:
                    await files.close()
                litter.close()
                access.save()
        log.info("stopped")
        return 0

    def _remove_pid_file(self, record: pidfile.DaemonRecord) -> None:
        try:
            pidfile.remove(self._home, record)
        except HomeError as error:
            log.error("%s", error)

    def _listen_to(self, signals: Signals) -> None:
        names = {"SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"} & signal.Signals.__members__.keys()
        for number in map(signal.Signals.__getitem__, names):
            # nohup(1), and a shell's & for SIGINT, have reasons to let us ignore them.
            if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                signals.listen(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stop.is_set() and self._registry is not None:
            # Asked twice: no more grace for what runs.
            self._registry.skip_grace()
        self._stop.set()


async def _environment(settings: Settings, reaper: Reaper) -> Mapping[bytes, bytes]:
    environ = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    if sys.platform != "win32":
        environ = await start_environment(settings.login_env, environ, reaper)
    return environ


def _user_home(environ: Mapping[bytes, bytes]) -> str | None:
    """Return the user's home directory as its commands see it, None if a message can't tell it."""
    home = os.fsdecode(environ.get(b"HOME", b""))
    if sys.platform == "win32":
        home = os.path.expanduser("~")
    elif not os.path.isabs(home):
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            home = "/"
    return home if _is_text(home) else None


def _user_name() -> str | None:
    """Return what id(1) prints for the user; None if a message can't tell it."""
    if sys.platform == "win32":
        name = os.environ.get("USERNAME", "")  # what `whoami` and getpass go by there
    else:
        import pwd

        try:
            name = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            name = str(os.geteuid())
    return name if name and _is_text(name) else None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _features(engine: Engine) -> tuple[str, ...]:
    if engine.rewrites and not rewrite.is_available():
        log.warning("tree-sitter is not installed: `A && B &` runs as it is")
    present = {
        "attach": True,
        "transient": True,
        "files": sys.platform != "win32",
        FEATURE: True,
        "rewrite": engine.rewrites and rewrite.is_available(),
        "zstd": sys.platform != "win32" and compression.is_available("zstd"),
    }
    return tuple(name for name, is_there in present.items() if is_there)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_processes=settings.max_processes,
        max_queue=settings.max_queue,
        max_sessions=settings.max_sessions,
        max_clients=settings.max_clients,
        max_message_bytes=MAX_FRAME,
        max_output_bytes=settings.max_output,
        buffer_bytes=settings.buffer,
        retain_seconds=settings.retain,
        detach_ttl_seconds=settings.detach_ttl,
        ping_interval_seconds=settings.ping_interval,
        max_file_bytes=settings.max_file,
        max_upload_bytes=settings.max_upload,
        max_uploads=settings.max_uploads,
        min_free_bytes=settings.min_free,
    )


def _files(settings: Settings, litter: HomeTempfiles, reaper: Reaper) -> Files | None:
    if sys.platform == "win32":
        return None
    from shellwire.files.change import delete_all
    from shellwire.files.limits import FileLimits
    from shellwire.files.service import Files
    from shellwire.files.workers import Workers
    from shellwire.server.files import worker

    litter.sweep(delete_all)
    limits = FileLimits(
        max_file=settings.max_file,
        max_upload=settings.max_upload,
        max_uploads=settings.max_uploads,
        min_free=settings.min_free,
    )
    return Files(limits, litter, Workers(worker.command(), reaper))


@contextlib.contextmanager
def _unix_socket(home: Home) -> Iterator[socket.socket]:
    """Bind the home's Unix socket, 0600. The daemon's lock is held, so an old one is stale."""
    if sys.platform == "win32":
        raise StartError("asyncio serves no Unix socket on Windows")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made = None
    try:
        try:
            made = _bind(listening, home)
        except OSError as error:
            raise StartError(f"cannot make {home.socket_file}: {error.strerror}") from error
        yield listening
    finally:
        listening.close()
        with contextlib.suppress(OSError):
            # If the home was removed under us, another daemon may be at home in a new one.
            if made is not None and os.path.samestat(os.stat(home.socket_file), made):
                home.socket_file.unlink()


def _bind(listening: socket.socket, home: Home) -> os.stat_result:
    home.socket_file.unlink(missing_ok=True)
    umask = os.umask(0o177)
    try:
        with socket_address(home) as path:
            listening.bind(path)
    finally:
        os.umask(umask)
    return os.stat(home.socket_file)
