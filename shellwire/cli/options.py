"""The settings: each is an option, an environment variable and a key of config.toml.

This is the only place that checks their values. Options override variables, variables override the
file, the file overrides the defaults, which are those of ``Settings``.
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource

from shellwire.cli.param_types import Executable, IntegerRange, PatternType, Seconds
from shellwire.cli.printing import print_line
from shellwire.errors import InvalidSettings
from shellwire.home.config import Entry, read_config
from shellwire.home.ownership import INSECURE
from shellwire.home.paths import Home
from shellwire.home.settings import LoginEnv, Preset, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DEFAULTS = {field.name: field.default for field in fields(Settings)}
_FILE = f"{__name__}.file"
_PREFIX = "SHELLWIRE_"
_PIB = 1024**5
_TIB = 1024**4
_GIB = 1024**3
_YEAR = 366 * 86400


_HOST = PatternType("host", r"[^\s,/\[\]@]+", "a host name or an address")
_ORIGIN = PatternType(
    "origin", r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,/?#]+", "an origin: scheme://host, or with :port"
)
_OBJECT = PatternType("module:name", r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", "MODULE:NAME")
_LEVEL = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False)


class Setting(click.Option):
    """A setting; ``name`` is its key in config.toml and its field in ``Settings``."""

    def __init__(self, name: str, kind: Any, text: str, *, flags: str = "", **more: Any) -> None:
        default = _DEFAULTS.get(name, False)
        super().__init__(
            [flags or f"--{name.replace('_', '-')}", name],
            type=kind,
            default=default,
            show_default=default not in (None, ()),
            envvar=f"{_PREFIX}{name.upper()}",
            show_envvar=True,
            help=text,
            **more,
        )

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """Use the file's value if neither option nor variable is given.

        The file is read here, after ``--help``, which must work without it.
        """
        if ctx.default_map is None and not ctx.resilient_parsing:
            entries = ctx.meta[_FILE] = _read_file(ctx)
            ctx.default_map = {key: entry.value for key, entry in entries.items()}
        return super().consume_value(ctx, opts)

    def get_error_hint(self, ctx: click.Context | None, *more: Any) -> str:
        """Return the name of the wrong value's source: the variable only if it was used."""
        name = self.name or ""
        if ctx is not None and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return click.Parameter.get_error_hint(self, ctx, *more)
        return super().get_error_hint(ctx, *more)

    def check(self, value: Any, ctx: click.Context) -> None:
        """Raise BadParameter unless ``value``, parsed from TOML, has the right type and range."""
        types, expected = self._toml_types()
        items = value if self.multiple else [value]
        # type(), not isinstance(): TOML's true must not pass as a number.
        if type(items) is not list or not all(type(item) in types for item in items):
            raise click.BadParameter(f"expected {expected}.")
        self.type_cast_value(ctx, value)

    def _toml_types(self) -> tuple[tuple[type, ...], str]:
        if self.multiple:
            return (str,), "an array of strings"
        if isinstance(self.type, click.types.BoolParamType):
            return (bool,), "true or false"
        if isinstance(self.type, IntegerRange):
            return (int,), "an integer"
        if isinstance(self.type, Seconds):
            return (int, float), "a number"
        return (str,), "a string"


SETTINGS = (
    Setting("host", _HOST, "Address to listen on."),
    Setting("port", IntegerRange(0, 65535), "TCP port to listen on; 0: any free port."),
    Setting("log_level", _LEVEL, "Lowest severity to log."),
    Setting(
        "max_processes", IntegerRange(1, 1024), "Maximum number of running commands and sessions."
    ),
    Setting(
        "max_sessions",
        IntegerRange(1, 1024),
        "Maximum number of running sessions, counted separately. Not set: within --max-processes.",
    ),
    Setting("max_queue", IntegerRange(0, 100_000), "Maximum number of queued commands."),
    Setting("max_clients", IntegerRange(1, 1024), "Maximum number of connected clients."),
    Setting(
        "preset",
        click.Choice(get_args(Preset)),
        "Other defaults. person: --max-clients 16 --max-sessions 16, for working in it all day.",
    ),
    *(
        Setting(f"principal_{name}", IntegerRange(least, most), f"{text} of each other principal.")
        for name, least, most, text in (
            ("sessions", 1, 1024, "Maximum number of running sessions"),
            ("commands", 1, 1024, "Maximum number of running commands"),
            ("queue", 0, 100_000, "Maximum number of queued commands"),
            ("connections", 1, 1024, "Maximum number of connections, and of HTTP requests,"),
            ("unread", 1, _TIB, "Bytes of unread output of ended jobs"),
            ("uploads", 1, 1024, "Maximum number of open uploads"),
        )
    ),
    Setting(
        "max_output",
        IntegerRange(0, _TIB),
        "Bytes of output after which a command is ended; 0: never.",
    ),
    Setting("max_file", IntegerRange(0, _PIB), "Bytes allowed in a written file; 0: no limit."),
    Setting(
        "max_upload",
        IntegerRange(0, _PIB),
        "Bytes allowed in one upload, all files of an archive together; 0: no limit.",
    ),
    Setting("max_uploads", IntegerRange(1, 1024), "Maximum number of open uploads per client."),
    Setting(
        "min_free", IntegerRange(0, _PIB), "Bytes that writing a file must leave free on its disk."
    ),
    Setting("buffer", IntegerRange(4096, _GIB), "Bytes of output buffered for each job."),
    Setting("retain", Seconds(0, _YEAR), "Seconds for which an ended job stays available."),
    Setting(
        "detach_ttl",
        Seconds(0, _YEAR),
        "Seconds that a job runs without its client, counted from its last input, output,"
        " viewer or request about it; 0: forever.",
    ),
    Setting(
        "idle_timeout",
        Seconds(0, _YEAR),
        "Seconds without input, output and viewers after which a session is ended; 0: never."
        " Not set: never for clients that send `protocol: 1`, 3600 for others.",
    ),
    Setting("spares", IntegerRange(0, 64), "Shells started in advance."),
    Setting(
        "shell",
        Executable(),
        "Shell that runs commands. Not set: bash, else $SHELL if it is a POSIX sh, else sh.",
    ),
    Setting(
        "rewrite",
        click.BOOL,
        "Run `A && B &` as `A && { B & }`.",
        flags="--rewrite/--no-rewrite",
    ),
    Setting(
        "login_env",
        click.Choice(get_args(LoginEnv)),
        "Use the environment of your login shell; auto: only if PATH has just the system's own"
        " directories.",
    ),
    Setting(
        "grace",
        Seconds(0, 3600),
        "Seconds that running commands have to finish when the daemon stops.",
    ),
    Setting("ping_interval", Seconds(0.1, 3600), "Seconds between pings to a client."),
    Setting(
        "compress",
        click.BOOL,
        "Compress messages to clients that support it.",
        is_flag=True,
    ),
    Setting(
        "allow_host",
        _HOST,
        "Another host name that clients may connect by. Repeatable; commas in the variable.",
        multiple=True,
    ),
    Setting(
        "allow_origin",
        _ORIGIN,
        "Another origin whose web pages may connect. Repeatable; commas in the variable.",
        multiple=True,
    ),
    Setting(
        "authenticator",
        _OBJECT,
        "Another authenticator: a Python class. Repeatable; commas in the variable.",
        multiple=True,
    ),
    Setting(
        "insecure_plaintext",
        click.BOOL,
        "Listen beyond loopback although nothing is encrypted.",
        is_flag=True,
    ),
)
"""One for each field of ``Settings``: the options of ``start`` and ``run``."""

DAEMON = Setting(
    "daemon",
    click.BOOL,
    "Run in the background; return when clients can connect.",
    is_flag=True,
)
"""An option of ``start`` only; ``run`` ignores its key in the file."""

_BY_KEY = {str(setting.name): setting for setting in (DAEMON, *SETTINGS)}


INSECURE_HOME = click.Option(
    ["--insecure-home"],
    is_flag=True,
    default=False,
    is_eager=True,  # the next option reads the settings file, which is in that home
    expose_value=False,
    callback=lambda _ctx, _param, given: _allow_insecure_home() if given else None,
    envvar=INSECURE,
    show_envvar=True,
    help="Use a home that another user owns (mapped user ids). Other commands take the variable.",
)
"""An option that can't be in the settings file: the file is in the home that it allows."""


def _allow_insecure_home() -> None:
    os.environ[INSECURE] = "1"


_VARIABLES = {key.upper() for key in _BY_KEY} | {
    "HOME",
    "INSECURE_HOME",
    "JOB",  # set in every job, so also if a job starts a daemon
    *("CLIENT_ID", "TOKEN", "URL"),  # for clients
}


def warn_of_unknown_variables() -> None:
    """Warn on stderr of ``SHELLWIRE_`` variables that do not exist."""
    given = {name[len(_PREFIX) :] for name in os.environ if name.startswith(_PREFIX)}
    for name in sorted(given - _VARIABLES):
        guess = _guess(name.upper(), _VARIABLES, prefix=_PREFIX)
        print_line(f"Warning: {_PREFIX}{name} is no known variable{guess}", err=True)


def file_entry(ctx: click.Context, key: str) -> Entry:
    """Return the entry of ``key`` in the settings file that ``ctx`` read."""
    entries: dict[str, Entry] = ctx.meta[_FILE]
    return entries[key]


def _read_file(ctx: click.Context) -> dict[str, Entry]:
    """Return all entries of the file, checked even if an option or a variable overrides them."""
    path = Home.locate().config_file
    entries = read_config(path)
    for key, entry in entries.items():
        where = f"{path}:{entry.line}: {key}"
        if key not in _BY_KEY:
            guess = _guess(key.replace("-", "_").lower(), _BY_KEY)
            raise InvalidSettings(f"{where}: unknown setting{guess}")
        try:
            _BY_KEY[key].check(entry.value, ctx)
        except click.BadParameter as error:
            raise InvalidSettings(f"{where}: {error.message}") from error
    return entries


def _guess(name: str, names: Iterable[str], *, prefix: str = "") -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), n=1)
    return f" (is {prefix}{close[0]} meant?)" if close else ""
