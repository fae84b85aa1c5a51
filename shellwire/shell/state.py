"""The state that a command leaves for the next: immutable values and pure functions.

All text is bytes: a path, a value or an alias may be invalid in any encoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

V = TypeVar("V")

IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
"""A valid name of a shell variable (POSIX.1, 3.216 Name)."""

OUR_PREFIX = b"__shellwire_"
"""Prefix of our own variables inside a shell; they are in no state."""

# Bytes that execve(2) counts for a variable besides name and value: "=", NUL and a pointer. So a
# context within its size limit is never too large to start a shell.
_OVERHEAD = 10


@dataclass(frozen=True, slots=True)
class Variable:
    """A shell variable: ``flags`` are the letters of ``declare``; x alone is a plain export.

    ``value`` is the bytes of a scalar, or the literal ``(...)`` of an array. It is None for a
    variable with attributes but no value, as made by ``declare -A m`` or ``export X``.
    """

    value: bytes | None
    flags: str = "x"

    @property
    def exported(self) -> bool:
        """Whether programs get it in their environment."""
        return "x" in self.flags

    @property
    def is_array(self) -> bool:
        """Whether ``value`` is the literal of an array."""
        return "a" in self.flags or "A" in self.flags


@dataclass(frozen=True, slots=True)
class Function:
    """A shell function: its definition as printed by the shell."""

    text: bytes
    exported: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The state before or after a command: the content of a context."""

    cwd: bytes
    variables: Mapping[bytes, Variable] = field(default_factory=dict)
    functions: Mapping[bytes, Function] = field(default_factory=dict)
    aliases: Mapping[bytes, bytes] = field(default_factory=dict)

    def size(self) -> int:
        """Return the bytes of all names and values, plus some overhead for each."""
        count = len(self.variables) + len(self.functions) + len(self.aliases)
        total = len(self.cwd) + _OVERHEAD * count
        total += sum(len(name) + len(each.value or b"") for name, each in self.variables.items())
        total += sum(len(name) + len(each.text) for name, each in self.functions.items())
        return total + sum(len(name) + len(text) for name, text in self.aliases.items())

    def program_environment(self) -> dict[bytes, bytes]:
        """Return the environment that a program gets: the exported variables, with PWD set."""
        pwd = {b"PWD": self.cwd} if self.cwd.startswith(b"/") else {}
        return {**self.environment(), **pwd}

    def environment(self) -> dict[bytes, bytes]:
        """Return the exported scalars that have a value."""
        return {
            name: each.value
            for name, each in self.variables.items()
            if each.value is not None and each.exported and not each.is_array
        }


@dataclass(frozen=True, slots=True)
class Change:
    """The changes made by a command: new values by name, None for a removed name."""

    cwd: bytes | None = None
    variables: Mapping[bytes, Variable | None] = field(default_factory=dict)
    functions: Mapping[bytes, Function | None] = field(default_factory=dict)
    aliases: Mapping[bytes, bytes | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cwd is not None or self.variables or self.functions or self.aliases)


def difference(
    start: State,
    end: State,
    *,
    visible: Callable[[bytes, Variable], bool],
    removals: bool = True,
) -> Change:
    """Return the change that turns ``start`` into ``end``.

    ``visible(name, variable)`` says whether the shell can report that variable of ``start``: a
    variable that it can't report does not count as removed. Without ``removals`` none does.
    """
    variables = _difference(start.variables, end.variables, removals=removals)
    for name, after in list(variables.items()):
        if after is None and not visible(name, start.variables[name]):
            del variables[name]
    return Change(
        cwd=end.cwd if end.cwd != start.cwd else None,
        variables=variables,
        functions=_difference(start.functions, end.functions, removals=removals),
        aliases=_difference(start.aliases, end.aliases, removals=removals),
    )


def _difference(
    start: Mapping[bytes, V], end: Mapping[bytes, V], *, removals: bool
) -> dict[bytes, V | None]:
    # Most values are the same object, for parsed lines are cached.
    changed: dict[bytes, V | None] = {
        name: value
        for name, value in end.items()
        if (before := start.get(name)) is not value and before != value
    }
    if removals:
        changed.update((name, None) for name in start if name not in end)
    return changed


def apply(state: State, change: Change) -> State:
    """Return ``state`` with ``change`` applied."""
    return replace(
        state,
        cwd=state.cwd if change.cwd is None else change.cwd,
        variables=_apply(state.variables, change.variables),
        functions=_apply(state.functions, change.functions),
        aliases=_apply(state.aliases, change.aliases),
    )


def _apply(values: Mapping[bytes, V], changes: Mapping[bytes, V | None]) -> Mapping[bytes, V]:
    if not changes:
        return values
    merged = dict(values)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged
