"""Types of options and arguments that click does not have."""

from __future__ import annotations

import math
import os
import re
import shutil
from typing import TYPE_CHECKING, Any, ClassVar

import click
from click.types import StringParamType

from shellwire.output import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class IntegerRange(click.IntRange):
    """An integer in a range."""

    name = "integer"


class Seconds(click.FloatRange):
    """A finite duration in seconds; fractions are allowed."""

    name = "number of seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse NaN too, which passes every range check."""
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            shown = quoted(value) if isinstance(value, str) else value
            self.fail(f"{shown} is not a valid number of seconds.", param, ctx)
        return seconds


class Duration(click.ParamType[float]):
    """A duration such as ``90s``, ``30m``, ``8h`` or ``7d``: a number and its unit."""

    name = "duration"

    _FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])", re.ASCII)
    _UNITS: ClassVar = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        match = self._FORM.fullmatch(value)
        seconds = float(match[1]) * self._UNITS[match[2]] if match is not None else 0.0
        if not 0 < seconds < math.inf:
            # A plain number is refused: the user may mean 8 hours by 8.
            expected = "a number with its unit, such as 90s, 30m, 8h or 7d"
            return self.fail(f"{quoted(value)} is not {expected}.", param, ctx)
        return seconds


class PatternType(StringParamType):
    """A string that matches a pattern; lists in a variable are split at commas and blanks."""

    def __init__(self, name: str, pattern: str, expected: str) -> None:
        self.name = name
        self._pattern = re.compile(pattern)
        self._expected = expected

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the items of a variable's value."""
        return [item for item in re.split(r"[,\s]+", rv) if item]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check that the value matches."""
        if not self._pattern.fullmatch(value):
            self.fail(f"{quoted(value)} is not {self._expected}.", param, ctx)
        return value


class Matching(StringParamType):
    """A string of another type that ``canonical`` accepts too: what a header can match.

    Without this check the daemon would start, and never admit what the user has allowed.
    """

    def __init__(self, kind: PatternType, canonical: Callable[[str], object]) -> None:
        self.name = kind.name
        self._kind = kind
        self._canonical = canonical

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return the items of a variable's value."""
        return self._kind.split_envvar_value(rv)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the value; it stays as it is."""
        found = self._kind.convert(value, param, ctx)
        try:
            self._canonical(found)
        except ValueError as error:
            self.fail(f"{quoted(found)} would have no effect: {error}.", param, ctx)
        return found


class Executable(StringParamType):
    """An executable file, or the name of one on ``$PATH``; converted to an absolute path."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find the file."""

        found = shutil.which(value)
        if found is None:
            self.fail(f"{quoted(value)} is not an executable file.", param, ctx)
        return os.path.abspath(found)
