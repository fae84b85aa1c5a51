"""One setting: an option, an environment variable and a key of config.toml.

Options override variables, variables override the file, the file overrides the defaults, which are
those of ``Settings``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.core import ParameterSource

from shellwire.cli.param_types import IntegerRange, Seconds
from shellwire.home.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.cli.settings_file import SettingsFile
    from shellwire.home.config import Entry

PREFIX = "SHELLWIRE_"
"""What the name of each variable begins with."""

_DEFAULTS = {field.name: field.default for field in fields(Settings)}
_FILE = f"{__name__}.file"


@dataclass(frozen=True)
class Subject:
    """A group of settings: a heading of the help, and perhaps a table of config.toml."""

    title: str

    table: str = ""
    """Name of its table; empty: its keys stand above the first table."""

    flat: bool = False
    """Whether its keys are also accepted above the first table, where they once were."""


class Setting(click.Option):
    """A setting; ``name`` is its field in ``Settings``, and in capitals its variable."""

    file: ClassVar[SettingsFile]
    """All settings as keys of config.toml."""

    def __init__(
        self,
        name: str,
        kind: Any,
        text: str,
        subject: Subject,
        *,
        flags: str = "",
        everyday: bool = False,
        security: bool = False,
        live: bool = False,
        in_file: bool = True,
        unsupported: Mapping[Any, str] | None = None,
        **more: Any,
    ) -> None:
        """Define a setting; ``text`` is its help, ``kind`` checks and converts its value.

        ``everyday``: ``--help`` shows it, not just ``--help-all``. ``security``: a start that can't
        honour it stops. ``live``: the daemon applies it at ``reload``, without a restart.
        ``unsupported``: values that this platform can't honour, each with the reason.
        """
        default = _DEFAULTS.get(name, False)
        super().__init__(
            [flags or f"--{name.replace('_', '-')}", name],
            type=kind,
            default=default,
            show_default=default not in (None, ()),
            envvar=f"{PREFIX}{name.upper()}",
            show_envvar=True,
            help=text,
            **more,
        )
        self.subject = subject
        self.everyday = everyday
        self.security = security
        self.live = live
        self.in_file = in_file
        self._unsupported = unsupported or {}

    @property
    def key(self) -> str:
        """The key in its subject's table: the name, without the table's name in front."""
        return str(self.name).removeprefix(f"{self.subject.table}_")

    @property
    def path(self) -> str:
        """The key with its table, as TOML writes it: ``limits.max_clients``, or ``port``."""
        return f"{self.subject.table}.{self.key}" if self.subject.table else self.key

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """Use the file's value if neither option nor variable is given.

        The file is read here, after ``--help``, which must work without it.
        """
        if self.in_file and ctx.default_map is None and not ctx.resilient_parsing:
            entries = ctx.meta[_FILE] = self.file.load(ctx)
            ctx.default_map = {key: entry.value for key, entry in entries.items()}
        return super().consume_value(ctx, opts)

    def get_error_hint(self, ctx: click.Context | None, *more: Any) -> str:
        """Return the name of the wrong value's source: the variable only if it was used."""
        name = self.name or ""
        if ctx is not None and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            return click.Parameter.get_error_hint(self, ctx, *more)
        return super().get_error_hint(ctx, *more)

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert a value. Raises BadParameter, also if this platform can't honour it."""
        converted = super().type_cast_value(ctx, value)
        reason = self._unsupported.get(converted)
        if reason is not None:
            raise click.BadParameter(f"it can't be honoured here: {reason}.", ctx, self)
        return converted

    def from_toml(self, value: Any, ctx: click.Context) -> Any:
        """Convert ``value``, parsed from TOML. Raises BadParameter for a wrong type or range."""
        types, expected = self._toml_types()
        items = value if self.multiple else [value]
        # type(), not isinstance(): TOML's true must not pass as a number.
        if type(items) is not list or not all(type(item) in types for item in items):
            raise click.BadParameter(f"expected {expected}.")
        return self.type_cast_value(ctx, value)

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


def file_entry(ctx: click.Context, name: str) -> Entry:
    """Return the entry of the setting ``name`` in the settings file that ``ctx`` read."""
    entries: dict[str, Entry] = ctx.meta[_FILE]
    return entries[name]


def given_names(ctx: click.Context) -> tuple[str, ...]:
    """Return the names of the settings that an option or a variable has set."""
    by_user = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    return tuple(name for name in ctx.params if ctx.get_parameter_source(name) in by_user)
