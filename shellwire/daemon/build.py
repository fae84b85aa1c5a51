"""Build the parts of a daemon from its settings: engine, job registry, files, server."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shellwire.daemon.access import HomeAccess
from shellwire.daemon.journal import HomeJournal
from shellwire.errors import StartError
from shellwire.files import compression
from shellwire.home.tempfiles import HomeTempfiles
from shellwire.jobs.contexts import Contexts
from shellwire.jobs.ended import Retention
from shellwire.jobs.engine import Engine
from shellwire.jobs.registry import Registry
from shellwire.protocol.codec import MAX_FRAME
from shellwire.protocol.messages import Limits
from shellwire.protocol.text_bytes import FEATURE
from shellwire.server.app import Server
from shellwire.server.connections import Connections
from shellwire.server.identity import Authenticators, GivenTokens, OwnerToken, SocketPeer
from shellwire.server.origin import OriginCheck
from shellwire.server.services import PrincipalLimits, Services
from shellwire.shell import rewrite
from shellwire.shell.context import initial_state
from shellwire.shell.find import find_dialect

if sys.platform != "win32":
    from shellwire.shell.login_env import start_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shellwire.files.service import FileService
    from shellwire.home.paths import Home
    from shellwire.home.settings import Settings
    from shellwire.process.reap import Reaper
    from shellwire.server.identity import Authenticator

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a daemon that are to be started and stopped."""

    access: HomeAccess
    journal: HomeJournal
    tempfiles: HomeTempfiles
    registry: Registry
    files: FileService | None
    """None on Windows."""
    connections: Connections
    server: Server


async def build(
    home: Home, settings: Settings, *, cwd: str, reaper: Reaper, stop: Callable[[], None]
) -> Parts:
    """Find the shell and its environment, and build all parts; nothing listens yet.

    Contexts start in ``cwd``. ``stop()`` is called when a client asks the daemon to stop. Raises
    StartError or HomeError.
    """
    access = HomeAccess(home)
    environ = await _environment(settings, reaper)
    initial = initial_state(environ, cwd)
    path = os.fsdecode(environ.get(b"PATH", b"")) or None
    dialect = await find_dialect(settings.shell, initial, reaper, path=path)
    instance = secrets.token_hex(8)
    journal = HomeJournal(home, instance)
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
    registry = Registry(
        engine,
        Contexts(initial),
        max_processes=settings.max_processes,
        max_queue=settings.max_queue,
        max_sessions=settings.max_sessions,
        retention=Retention(settings.retain),
        detach_ttl=settings.detach_ttl,
    )
    tempfiles = HomeTempfiles(home)
    files = _files(settings, tempfiles, reaper)
    services = Services(
        registry,
        access,
        _authenticators(settings, access),
        files,
        _limits(settings),
        dialect.path,
        stop,
        principal_limits=PrincipalLimits(
            sessions=settings.principal_sessions,
            commands=settings.principal_commands,
            queued=settings.principal_queue,
            connections=settings.principal_connections,
            unread_bytes=settings.principal_unread,
        ),
        features=_features(engine),
        home=_user_home(environ),
        user=_user_name(),
    )
    connections = Connections(services)
    server = Server(
        connections,
        OriginCheck(settings.host, hosts=settings.allow_host, origins=settings.allow_origin),
        ping_interval=settings.ping_interval,
        compress=settings.compress,
    )
    return Parts(access, journal, tempfiles, registry, files, connections, server)


def _authenticators(settings: Settings, access: HomeAccess) -> Authenticators:
    """Return the built-in authenticators and, after them, those of the settings."""
    own = [_own_authenticator(each) for each in settings.authenticator]
    return Authenticators(SocketPeer(), OwnerToken(access), GivenTokens(access), *own)


def _own_authenticator(name: str) -> Authenticator:
    module, _, attribute = name.partition(":")
    try:
        made: Authenticator = getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # whatever the user's code raises
        reason = f"{type(error).__name__}: {error}"
        raise StartError(f"--authenticator {name} can't be made: {reason}") from error
    return made


async def _environment(settings: Settings, reaper: Reaper) -> Mapping[bytes, bytes]:
    environ = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    if sys.platform != "win32":
        environ = await start_environment(settings.login_env, environ, reaper)
    return environ


def _user_home(environ: Mapping[bytes, bytes]) -> str | None:
    """Return the user's home directory as commands see it, None if it is not valid text."""
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
    """Return the user name that id(1) prints, None if it is not valid text."""
    if sys.platform == "win32":
        name = os.environ.get("USERNAME", "")  # the variable that getpass reads, too
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
        log.warning("tree-sitter is not installed: `A && B &` is not rewritten")
    present = {
        "attach": True,
        "transient": True,
        "files": sys.platform != "win32",
        FEATURE: True,
        "rewrite": engine.rewrites and rewrite.is_available(),
        "zstd": sys.platform != "win32" and compression.is_available("zstd"),
    }
    return tuple(name for name, is_present in present.items() if is_present)


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


def _files(settings: Settings, tempfiles: HomeTempfiles, reaper: Reaper) -> FileService | None:
    if sys.platform == "win32":
        return None
    from shellwire.files.change import delete_all
    from shellwire.files.limits import FileLimits
    from shellwire.files.service import FileService
    from shellwire.files.workers import WorkerPool
    from shellwire.server.files import worker

    tempfiles.sweep(delete_all)
    limits = FileLimits(
        max_file=settings.max_file,
        max_upload=settings.max_upload,
        max_uploads=settings.max_uploads,
        principal_uploads=settings.principal_uploads,
        min_free=settings.min_free,
    )
    return FileService(limits, tempfiles, WorkerPool(worker.command(), reaper))
