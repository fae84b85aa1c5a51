"""The daemon's settings and their defaults."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

LoginEnv = Literal["auto", "always", "never"]
Preset = Literal["person"]

PRESETS: dict[str, dict[str, int]] = {"person": {"max_clients": 16, "max_sessions": 16}}
"""The defaults that each preset replaces."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The settings of one daemon, each with its default.

    The command line has checked the ranges. Each setting is a flag, an environment variable and a
    key of the settings file; ``shellwire/cli/options.py`` describes them.
    """

    host: str = "127.0.0.1"
    """Address or name to listen on."""

    port: int = 7842
    """TCP port to listen on; 0 takes any free one."""

    log_level: str = "INFO"
    """Lowest level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    max_processes: int = 4
    """Most commands and sessions that run at a time."""

    max_sessions: int | None = None
    """Most sessions that run at a time; None counts them within ``max_processes``."""

    max_queue: int = 16
    """Most commands that wait for a slot."""

    max_clients: int = 1
    """Most clients connected at a time."""

    preset: Preset | None = None
    """Defaults for a use: ``person`` is for somebody who works in it all day."""

    principal_sessions: int = 5
    """Most sessions of one principal, other than the owner, that run at a time."""

    principal_commands: int = 4
    """Most commands of one principal that run at a time; further ones wait."""

    principal_queue: int = 16
    """Most commands of one principal that wait."""

    principal_connections: int = 8
    """Most WebSockets of one principal; and as many HTTP requests."""

    principal_unread: int = 32 * MIB
    """Bytes of output of ended jobs that one principal may leave unread."""

    principal_uploads: int = 4
    """Most uploads that one principal may have open."""

    max_output: int = 64 * MIB
    """Bytes of output after which a command is ended; 0 means no limit."""

    max_file: int = 64 * 1024 * MIB
    """Largest file, in bytes, that a client may write; 0 means no limit."""

    max_upload: int = 64 * 1024 * MIB
    """Most bytes of one upload, all files of an archive together; 0 means no limit."""

    max_uploads: int = 16
    """Most uploads that one client may have open."""

    min_free: int = 64 * MIB
    """Bytes that must stay free on a disk when a file is written."""

    buffer: int = 4 * MIB
    """Bytes of output that are kept for each job."""

    retain: float = 86_400.0
    """Seconds that an ended job is kept."""

    detach_ttl: float = 604_800.0
    """Seconds that a job without its client continues after its last use; 0 means for ever."""

    idle_timeout: float | None = None
    """Seconds unused after which a session is ended; 0 means never.

    None means never for clients of this protocol, and an hour for those of release 0.1.4.
    """

    spares: int = 0 if hasattr(sys, "getandroidapilevel") else 2
    """Shells that are started in advance, to wait for commands.

    0 on Android, Termux included: there all apps together may have 32 child processes, and the
    system kills more than that.
    """

    shell: str | None = None
    """Path of the shell that runs commands; None lets the daemon choose."""

    rewrite: bool = True
    """Whether ``A && B &`` runs A in the foreground and only B in the background."""

    login_env: LoginEnv = "auto"
    """Whether to use the login shell's environment; ``auto``: if PATH has system paths only."""

    grace: float = 5.0
    """Seconds that running commands have to finish when the daemon stops."""

    ping_interval: float = 20.0
    """Seconds between two pings to a client."""

    compress: bool = False
    """Whether messages are compressed (permessage-deflate, RFC 7692) for clients that offer it."""

    allow_host: tuple[str, ...] = ()
    """Names, besides the daemon's own, that a Host header may carry."""

    allow_origin: tuple[str, ...] = ()
    """Origins, besides the daemon's own, whose web pages may connect."""

    authenticator: tuple[str, ...] = ()
    """Authenticators of the user's own, each ``MODULE:NAME``, asked after the built-in ones."""

    insecure_plaintext: bool = False
    """Whether to listen beyond loopback although nothing is encrypted."""

    given: tuple[str, ...] = ()
    """Not a setting: the names of those that an option or a variable has set, not the file."""
