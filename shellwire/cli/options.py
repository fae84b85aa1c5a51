"""The table of settings: each is a flag, an environment variable and a key of the settings file.

Ranges and spellings are checked here, once. Flags beat variables, those the file, and that the
defaults, which are those of ``Settings``.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import click
from click.core import ParameterSource
from click.types import StringParamType

from shellwire.cli.say import say
from shellwire.errors import InvalidSettings
from shellwire.home.config import Entry, read_config
from shellwire.home.ownership import INSECURE
from shellwire.home.paths import Home
from shellwire.home.settings import LoginEnv, Settings
from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_DEFAULTS = {field.name: field.default for field in fields(Settings)}
_FILE = f"{__name__}.file"
_PREFIX = "SHELLWIRE_"
_PIB = 1024**5
_TIB = 1024**4
_GIB = 1024**3
_YEAR = 366 * 86400


class Whole(click.IntRange):
    """An integer in a range."""

    name = "integer"


class Seconds(click.FloatRange):
    """A duration in plain seconds, fractions allowed, finite."""

    name = "number of seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN too, which every range lets through."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            shown = quoted(value) if isinstance(value, str) else value
            self.fail(f"{shown} is not a valid number of seconds.", param, ctx)
        return seconds


class Matching(StringParamType):
    """A string of one form; a list of them in a variable is split at commas and blanks."""

    def __init__(self, name: str, pattern: str, expected: str) -> None:
        self.name = name
        self._pattern = re.compile(pattern)
        self._expected = expected

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the items of a variable's value."""
        return [item for item in re.split(r"[,\s]+", rv) if item]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the form."""
        if not self._pattern.fullmatch(value):
            self.fail(f"{quoted(value)} is not {self._expected}.", param, ctx)
        return value


class Executable(StringParamType):
    """An executable file, or the name of one on ``$PATH``; becomes an absolute path."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find it."""
        found = shutil.which(value)
        if found is None:
            self.fail(f"{quoted(value)} is not an executable file.", param, ctx)
        return os.path.abspath(found)


_HOST = Matching("host", r"[^\s,/\[\]@]+", "a host name or an address")
_ORIGIN = Matching(
    "origin", r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,/?#]+", "an origin: scheme://host, or with :port"
)
_LEVEL = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False)


class Setting(click.Option):
    """A setting; ``name`` is its key in the file and its field in ``Settings``."""

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
        """Let click take from the file what neither flag nor variable says.

        The file is read here, for ``--help`` has been answered by now and is not to depend on it.
        """
        if ctx.default_map is None and not ctx.resilient_parsing:
            entries = ctx.meta[_FILE] = _read_file(ctx)
            ctx.default_map = {key: entry.value for key, entry in entries.items()}
        return super().consume_value(ctx, opts)

    def get_error_hint(self, ctx: click.Context | None, *more: Any) -> str:
        """Return what to blame: the variable only if it was it."""
        name = self.name or ""
        if ctx is not None and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return click.Parameter.get_error_hint(self, ctx, *more)
        return super().get_error_hint(ctx, *more)

    def check(self, value: Any, ctx: click.Context) -> None:
        """Raise BadParameter unless ``value``, as TOML gives it, is of the type and in range."""
        types, expected = self._toml_types()
        items = value if self.multiple else [value]
        # type(), not isinstance(): true is no number here.
        if type(items) is not list or not all(type(item) in types for item in items):
            raise click.BadParameter(f"expected {expected}.")
        self.type_cast_value(ctx, value)

    def _toml_types(self) -> tuple[tuple[type, ...], str]:
        if self.multiple:
            return (str,), "an array of strings"
        if isinstance(self.type, click.types.BoolParamType):
            return (bool,), "true or false"
        if isinstance(self.type, Whole):
            return (int,), "an integer"
        if isinstance(self.type, Seconds):
            return (int, float), "a number"
        return (str,), "a string"


SETTINGS = (
    Setting("host", _HOST, "Address to listen on."),
    Setting("port", Whole(0, 65535), "TCP port to listen on; 0 takes any free one."),
    Setting("log_level", _LEVEL, "Least severity that is logged."),
    Setting("max_processes", Whole(1, 1024), "Commands and sessions at a time, together."),
    Setting(
        "max_sessions",
        Whole(1, 1024),
        "Sessions at a time, counted apart; if not given, within --max-processes.",
    ),
    Setting("max_queue", Whole(0, 100_000), "Commands that may wait."),
    Setting("max_clients", Whole(1, 1024), "Clients connected at a time."),
    Setting(
        "max_output",
        Whole(0, _TIB),
        "Bytes of output after which a command is ended; 0 means never.",
    ),
    Setting("max_file", Whole(0, _PIB), "Bytes of a file that is written; 0 means no limit."),
    Setting(
        "max_upload",
        Whole(0, _PIB),
        "Bytes that one upload brings, an archive's files together; 0 means no limit.",
    ),
    Setting("max_uploads", Whole(1, 1024), "Uploads that one client may have open."),
    Setting("min_free", Whole(0, _PIB), "Bytes that writing a file leaves free on its disk."),
    Setting("buffer", Whole(4096, _GIB), "Bytes of output kept for each job."),
    Setting("retain", Seconds(0, _YEAR), "Seconds that a job which has ended is kept."),
    Setting(
        "detach_ttl",
        Seconds(0, _YEAR),
        "Seconds that a job runs without its client, since its last input, output or viewer;"
        " 0 means for ever.",
    ),
    Setting(
        "idle_timeout",
        Seconds(0, _YEAR),
        "Seconds without input, output and viewers after which a session is ended; 0 means never."
        " Not set: never, but 3600 for clients that don't say `protocol: 1`.",
    ),
    Setting("spares", Whole(0, 64), "Shells started in advance for commands."),
    Setting("shell", Executable(), "Shell that runs commands; bash, else sh, if not given."),
    Setting(
        "rewrite",
        click.BOOL,
        "Run `A && B &` as `A && { B & }`.",
        flags="--rewrite/--no-rewrite",
    ),
    Setting(
        "login_env",
        click.Choice(get_args(LoginEnv)),
        "Take the environment of your login shell; auto does when PATH has only the system's own"
        " directories.",
    ),
    Setting(
        "grace", Seconds(0, 3600), "Seconds that running commands get to finish when it stops."
    ),
    Setting("ping_interval", Seconds(0.1, 3600), "Seconds between pings to a client."),
    Setting(
        "compress",
        click.BOOL,
        "Compress what is sent to clients that offer it.",
        is_flag=True,
    ),
    Setting(
        "allow_host",
        _HOST,
        "Another name that clients may connect by. Repeatable; commas in the variable.",
        multiple=True,
    ),
    Setting(
        "allow_origin",
        _ORIGIN,
        "Another origin whose pages may connect. Repeatable; commas in the variable.",
        multiple=True,
    ),
    Setting(
        "insecure_plaintext",
        click.BOOL,
        "Listen beyond loopback although nothing is encrypted.",
        is_flag=True,
    ),
)
"""Every field of ``Settings``: the flags of ``start`` and ``run``."""

DAEMON = Setting(
    "daemon",
    click.BOOL,
    "Run in the background; return when clients can connect.",
    is_flag=True,
)
"""The one flag that is ``start``'s alone; ``run`` passes over it in the file."""

_BY_KEY = {str(setting.name): setting for setting in (DAEMON, *SETTINGS)}


INSECURE_HOME = click.Option(
    ["--insecure-home"],
    is_flag=True,
    default=False,
    is_eager=True,  # the settings file, which the next option reads, is in that home
    expose_value=False,
    callback=lambda _ctx, _param, given: _allow_insecure_home() if given else None,
    envvar=INSECURE,
    show_envvar=True,
    help="Use a home of another user, where user ids are mapped. Other commands: the variable.",
)
"""A flag that can't be in the settings file: that is in the home which it allows to use."""


def _allow_insecure_home() -> None:
    os.environ[INSECURE] = "1"


_VARIABLES = {key.upper() for key in _BY_KEY} | {
    "HOME",
    "INSECURE_HOME",
    "JOB",  # in the environment of every job, and so where one starts a daemon
    *("CLIENT_ID", "TOKEN", "URL"),  # for clients
}


def warn_of_unknown_variables() -> None:
    """Tell on stderr of variables that look like ours and mean nothing."""
    given = {name[len(_PREFIX) :] for name in os.environ if name.startswith(_PREFIX)}
    for name in sorted(given - _VARIABLES):
        guess = _guess(name.upper(), _VARIABLES, prefix=_PREFIX)
        say(f"Warning: {_PREFIX}{name} means nothing here{guess}", err=True)


def file_entry(ctx: click.Context, key: str) -> Entry:
    """Return what the file that ``ctx`` has read says of ``key``."""
    entries: dict[str, Entry] = ctx.meta[_FILE]
    return entries[key]


def _read_file(ctx: click.Context) -> dict[str, Entry]:
    """Return the whole file, checked, whatever flags and variables may override."""
    path = Home.locate().config_file
    entries = read_config(path)
    for key, entry in entries.items():
        where = f"{path}:{entry.line}: {key}"
        if key not in _BY_KEY:
            guess = _guess(key.replace("-", "_").lower(), _BY_KEY)
            raise InvalidSettings(f"{where}: there is no such setting{guess}")
        try:
            _BY_KEY[key].check(entry.value, ctx)
        except click.BadParameter as error:
            raise InvalidSettings(f"{where}: {error.message}") from error
    return entries


def _guess(name: str, names: Iterable[str], *, prefix: str = "") -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), n=1)
    return f" (is {prefix}{close[0]} meant?)" if close else ""
