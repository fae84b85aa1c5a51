"""The settings: each is an option, an environment variable and a key of config.toml.

This table is the only place that defines them; ``Settings`` has their defaults.
"""

from __future__ import annotations

import os
import sys
from typing import get_args

import click

from shellwire.cli.param_types import Executable, IntegerRange, Matching, PatternType, Seconds
from shellwire.cli.setting import PREFIX, Setting, Subject
from shellwire.cli.settings_file import SettingsFile, guess
from shellwire.home.ownership import INSECURE
from shellwire.home.settings import LoginEnv, Preset
from shellwire.server.origin import canonical_host, canonical_origin

_PIB = 1024**5
_TIB = 1024**4
_GIB = 1024**3
_YEAR = 366 * 86400


_HOST = PatternType("host", r"[^\s,/\[\]@]+", "a host name or an address")
_ALLOWED_HOST = Matching(_HOST, canonical_host)
_ORIGIN = Matching(
    PatternType(
        "origin", r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,/?#]+", "an origin: scheme://host, or with :port"
    ),
    canonical_origin,
)
_OBJECT = PatternType("module:name", r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "MODULE:NAME")
_LEVEL = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False)


DAEMON_ITSELF = Subject("Daemon")
CONNECTIONS = Subject("Connections")
COMMANDS = Subject("Commands and shells")
LIMITS = Subject("Limits", table="limits", flat=True)
PRINCIPALS = Subject("Limits of each other principal", table="principal")
SUBJECTS = (DAEMON_ITSELF, CONNECTIONS, COMMANDS, LIMITS, PRINCIPALS)
"""The subjects, in the order of the help and of docs/configuration.md."""

_IS_WINDOWS = sys.platform == "win32"

SETTINGS = (
    Setting("host", _HOST, "Address to listen on.", CONNECTIONS, everyday=True, security=True),
    Setting(
        "port",
        IntegerRange(0, 65535),
        "TCP port to listen on; 0: any free port.",
        CONNECTIONS,
        everyday=True,
    ),
    Setting("log_level", _LEVEL, "Lowest severity to log.", DAEMON_ITSELF, everyday=True),
    Setting(
        "max_processes",
        IntegerRange(1, 1024),
        "Maximum number of running commands and sessions.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "max_sessions",
        IntegerRange(1, 1024),
        "Maximum number of running sessions, counted separately. Not set: within --max-processes.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "max_queue",
        IntegerRange(0, 100_000),
        "Maximum number of queued commands.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "max_clients",
        IntegerRange(1, 1024),
        "Maximum number of connected clients.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "preset",
        click.Choice(get_args(Preset)),
        "Other defaults. person: --max-clients 16 --max-sessions 16, for working in it all day.",
        LIMITS,
        everyday=True,
    ),
    *(
        Setting(f"principal_{name}", IntegerRange(least, most), f"{text}.", PRINCIPALS)
        for name, least, most, text in (
            ("sessions", 1, 1024, "Maximum number of running sessions"),
            ("commands", 1, 1024, "Maximum number of running commands"),
            ("queue", 0, 100_000, "Maximum number of queued commands"),
            ("connections", 1, 1024, "Maximum number of connections, and of HTTP requests"),
            ("unread", 1, _TIB, "Bytes of unread output of ended jobs"),
            ("uploads", 1, 1024, "Maximum number of open uploads"),
        )
    ),
    Setting(
        "max_output",
        IntegerRange(0, _TIB),
        "Bytes of output after which a command is ended; 0: never.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "max_file",
        IntegerRange(0, _PIB),
        "Bytes allowed in a written file; 0: no limit.",
        LIMITS,
    ),
    Setting(
        "max_upload",
        IntegerRange(0, _PIB),
        "Bytes allowed in one upload, all files of an archive together; 0: no limit.",
        LIMITS,
    ),
    Setting(
        "max_uploads", IntegerRange(1, 1024), "Maximum number of open uploads per client.", LIMITS
    ),
    Setting(
        "min_free",
        IntegerRange(0, _PIB),
        "Bytes that writing a file must leave free on its disk.",
        LIMITS,
    ),
    Setting(
        "buffer",
        IntegerRange(4096, _GIB),
        "Bytes of output buffered for each job.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "retain",
        Seconds(0, _YEAR),
        "Seconds for which an ended job stays available.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "detach_ttl",
        Seconds(0, _YEAR),
        "Seconds that a job runs without its client, counted from its last input, output,"
        " viewer or request about it; 0: forever.",
        LIMITS,
        everyday=True,
    ),
    Setting(
        "idle_timeout",
        Seconds(0, _YEAR),
        "Seconds without input, output and viewers after which a session is ended; 0: never."
        " Not set: never for clients that send `protocol: 1`, 3600 for others.",
        LIMITS,
        everyday=True,
    ),
    Setting("spares", IntegerRange(0, 64), "Shells started in advance.", COMMANDS),
    Setting(
        "shell",
        Executable(),
        "Shell that runs commands. Not set: bash, else $SHELL if it is a POSIX sh, else sh.",
        COMMANDS,
        everyday=True,
    ),
    Setting(
        "rewrite",
        click.BOOL,
        "Run `A && B &` as `A && { B & }`.",
        COMMANDS,
        flags="--rewrite/--no-rewrite",
    ),
    Setting(
        "login_env",
        click.Choice(get_args(LoginEnv)),
        "Use the environment of your login shell; auto: only if PATH has just the system's own"
        " directories.",
        COMMANDS,
        everyday=True,
        unsupported={"always": "Windows has no login shell"} if _IS_WINDOWS else {},
    ),
    Setting(
        "grace",
        Seconds(0, 3600),
        "Seconds that running commands have to finish when the daemon stops.",
        DAEMON_ITSELF,
        everyday=True,
    ),
    Setting("ping_interval", Seconds(0.1, 3600), "Seconds between pings to a client.", CONNECTIONS),
    Setting(
        "compress",
        click.BOOL,
        "Compress messages to clients that support it.",
        CONNECTIONS,
        is_flag=True,
    ),
    Setting(
        "allow_host",
        _ALLOWED_HOST,
        "Another host name that clients may connect by. Repeatable; commas in the variable.",
        CONNECTIONS,
        everyday=True,
        security=True,
        multiple=True,
    ),
    Setting(
        "allow_origin",
        _ORIGIN,
        "Another origin whose web pages may connect. Repeatable; commas in the variable.",
        CONNECTIONS,
        everyday=True,
        security=True,
        multiple=True,
    ),
    Setting(
        "authenticator",
        _OBJECT,
        "Another authenticator: a Python class. Repeatable; commas in the variable.",
        CONNECTIONS,
        security=True,
        multiple=True,
    ),
    Setting(
        "insecure_plaintext",
        click.BOOL,
        "Listen beyond loopback although nothing is encrypted.",
        CONNECTIONS,
        everyday=True,
        security=True,
        is_flag=True,
    ),
)
"""One for each field of ``Settings``: the options of ``start`` and ``run``."""

DAEMON = Setting(
    "daemon",
    click.BOOL,
    "Run in the background; return when clients can connect.",
    DAEMON_ITSELF,
    everyday=True,
    is_flag=True,
)
"""An option of ``start`` only; ``run`` ignores its key in the file."""

INSECURE_HOME = Setting(
    "insecure_home",
    click.BOOL,
    "Use a home that another user owns (mapped user ids). Other commands take the variable.",
    DAEMON_ITSELF,
    security=True,
    in_file=False,
    unsupported={True: "on Windows no owner is checked"} if _IS_WINDOWS else {},
    is_flag=True,
    is_eager=True,  # the next option reads the settings file, which is in that home
    expose_value=False,
    callback=lambda _ctx, _param, given: _allow_insecure_home() if given else None,
)
"""An option that can't be in the settings file: the file is in the home that it allows."""

ALL_SETTINGS = (DAEMON, *SETTINGS, INSECURE_HOME)

Setting.file = SettingsFile(ALL_SETTINGS)


def _allow_insecure_home() -> None:
    os.environ[INSECURE] = "1"


_VARIABLES = {str(setting.name).upper(): setting.security for setting in ALL_SETTINGS} | {
    "HOME": True,
    "JOB": False,  # set in every job, so also if a job starts a daemon
    **dict.fromkeys(("CLIENT_ID", "TOKEN", "URL"), False),  # for clients
}
"""The known variables without prefix, and whether each is about security."""


def unknown_variables() -> dict[str, bool]:
    """Return a line for each ``SHELLWIRE_`` variable that does not exist.

    With each, whether one about security is probably meant.
    """
    given = {name[len(PREFIX) :] for name in os.environ if name.startswith(PREFIX)}
    found = {}
    for name in sorted(given - _VARIABLES.keys()):
        close = guess(name.upper(), _VARIABLES)
        meant = f" (is {PREFIX}{close} meant?)" if close else ""
        line = f"{PREFIX}{name} is no known variable{meant}"
        found[line] = close is not None and _VARIABLES[close]
    return found
