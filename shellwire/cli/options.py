"""The flags of ``start`` and ``run``: one for each setting, with its environment variable.

Ranges and spellings are checked here, once. Defaults are those of ``Settings``; a file of
settings can become click's ``default_map``, and is then checked by the same types.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.types import StringParamType

from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Decorated = TypeVar("_Decorated", bound="Callable[..., Any]")

_DEFAULTS = {field.name: field.default for field in fields(Settings)}
_TIB = 1024**4
_GIB = 1024**3


class Seconds(click.FloatRange):
    """A duration in plain seconds, fractions allowed, finite."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN too, which every range lets through."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
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
            self.fail(f"{value!r} is not {self._expected}.", param, ctx)
        return value


class Executable(StringParamType):
    """An executable file, or the name of one on ``$PATH``; becomes an absolute path."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find it."""
        found = shutil.which(value)
        if found is None:
            self.fail(f"{value!r} is not an executable file.", param, ctx)
        return os.path.abspath(found)


_HOST = Matching("host", r"[^\s,/\[\]@]+", "a host name or an address")
_ORIGIN = Matching(
    "origin", r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,/?#]+", "an origin: scheme://host, or with :port"
)
_LEVEL = click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False)


def _option(name: str, kind: Any, text: str, **more: Any) -> Callable[..., Any]:
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        type=kind,
        default=_DEFAULTS[name],
        show_default=_DEFAULTS[name] not in (None, ()),
        envvar=f"SHELLWIRE_{name.upper()}",
        show_envvar=True,
        help=text,
        **more,
    )


_OPTIONS = (
    _option("host", _HOST, "Address to listen on."),
    _option("port", click.IntRange(0, 65535), "TCP port to listen on; 0 takes any free one."),
    _option("log_level", _LEVEL, "Least severity that is logged."),
    _option("max_processes", click.IntRange(1, 1024), "Commands and sessions at a time, together."),
    _option("max_queue", click.IntRange(0, 100_000), "Commands that may wait."),
    _option("max_clients", click.IntRange(1, 1024), "Clients connected at a time."),
    _option(
        "max_output",
        click.IntRange(0, _TIB),
        "Bytes of output after which a command is ended; 0 means never.",
    ),
    _option("buffer", click.IntRange(4096, _GIB), "Bytes of output kept for each job."),
    _option("shell", Executable(), "Shell that runs commands; bash, else sh, if not given."),
    _option(
        "grace", Seconds(0, 3600), "Seconds that running commands get to finish when it stops."
    ),
    _option("ping_interval", Seconds(0.1, 3600), "Seconds between pings to a client."),
    _option(
        "allow_host",
        _HOST,
        "Another name that clients may connect by. Repeatable; commas in the variable.",
        multiple=True,
    ),
    _option(
        "allow_origin",
        _ORIGIN,
        "Another origin whose pages may connect. Repeatable; commas in the variable.",
        multiple=True,
    ),
    _option(
        "insecure_plaintext",
        click.BOOL,
        "Listen beyond loopback although nothing is encrypted.",
        is_flag=True,
    ),
)


def settings_options(command: _Decorated) -> _Decorated:
    """Give ``command`` a flag for each setting."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
