"""What a daemon can be told when it starts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

LoginEnv = Literal["auto", "always", "never"]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """The settings of one daemon, each with its default.

    Whoever fills this has checked the ranges: the command line does, where each setting is a flag,
    an environment variable and a key of the settings file.
    """

    host: str = "127.0.0.1"
    """Address or name to listen on."""

    port: int = 7842
    """TCP port to listen on; 0 takes any free one."""

    log_level: str = "INFO"
    """Least severity that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    max_processes: int = 4
    """Commands and sessions that run at a time."""

    max_sessions: int | None = None
    """Sessions that run at a time, counted apart; None counts them within ``max_processes``."""

    max_queue: int = 16
    """Commands that wait for a slot."""

    max_clients: int = 1
    """Clients connected at a time."""

    max_output: int = 64 * MIB
    """Bytes of output after which a command is ended; 0 means no limit."""

    max_file: int = 64 * 1024 * MIB
    """Bytes of a file that a client may write; 0 means no limit."""

    max_upload: int = 64 * 1024 * MIB
    """Bytes that one upload may bring, an archive's files together; 0 means no limit."""

    max_uploads: int = 16
    """Uploads that one client may have open."""

    min_free: int = 64 * MIB
    """Bytes that writing a file must leave free on its disk."""

    buffer: int = 4 * MIB
    """Bytes of output kept for each job."""

    retain: float = 86_400.0
    """Seconds that a job which has ended is kept."""

    detach_ttl: float = 604_800.0
    """Seconds that a job runs without its client since it was used last; 0 means for ever."""

    idle_timeout: float | None = None
    """Seconds unused after which a session is ended; 0 means never.

    None means never for clients of this protocol, and an hour for those of release 0.1.4.
    """

    spares: int = 0 if hasattr(sys, "getandroidapilevel") else 2
    """Shells that are started in advance, to wait for commands.

    None on Android, Termux included: there all apps together may have 32 processes besides their
    own, and the system kills what is more.
    """

    shell: str | None = None
    """Path of the shell that runs commands; None leaves the choice to the daemon."""

    rewrite: bool = True
    """Whether ``A && B &`` runs A in the foreground and only B in the background."""

    login_env: LoginEnv = "auto"
    """Whether to take the environment of the user's login shell; ``auto`` when PATH is bare."""

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

    insecure_plaintext: bool = False
    """Whether to listen beyond loopback although nothing is encrypted."""
