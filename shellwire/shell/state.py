"""The state that one command hands to the next, as immutable values; pure.

Everything is bytes: a path, a value or an alias need not be valid in any encoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

V = TypeVar("V")

IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\Z")
"""A name that a shell can use as a variable (POSIX.1, 3.216 Name)."""

OUR_PREFIX = b"__shellwire_"
"""Variables of our own inside a shell begin with this and belong to no state."""

# What execve(2) counts of a variable besides name and value: "=", NUL and a pointer. So no context
# within its bound can be too large to start a shell with.
_EACH = 10


@dataclass(frozen=True, slots=True)
class Variable:
    """A shell variable: ``flags`` are the letters of ``declare``; x alone is a plain export.

    ``value`` holds the bytes of a scalar, and the literal ``(...)`` of an array. None is a variable
    that has attributes and no value yet, such as ``declare -A m`` or ``export X`` makes.
    """

    value: bytes | None
    flags: str = "x"

    @property
    def exported(self) -> bool:
        """Whether programs see it."""
        return "x" in self.flags

    @property
    def is_array(self) -> bool:
        """Whether ``value`` is an array's literal."""
        return "a" in self.flags or "A" in self.flags


@dataclass(frozen=True, slots=True)
class Function:
    """A shell function's definition, as the shell prints it."""

    text: bytes
    exported: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What a command starts from and what it leaves: all that a context holds."""

    cwd: bytes
    variables: Mapping[bytes, Variable] = field(default_factory=dict)
    functions: Mapping[bytes, Function] = field(default_factory=dict)
    aliases: Mapping[bytes, bytes] = field(default_factory=dict)

    def size(self) -> int:
        """Return the bytes that the names and values take, a little more for each of them."""
        count = len(self.variables) + len(self.functions) + len(self.aliases)
        total = len(self.cwd) + _EACH * count
        total += sum(len(name) + len(each.value or b"") for name, each in self.variables.items())
        total += sum(len(name) + len(each.text) for name, each in self.functions.items())
        return total + sum(len(name) + len(text) for name, text in self.aliases.items())

    def told(self) -> dict[bytes, bytes]:
        """Return the exported variables as a program sees them: PWD is the directory."""
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
    """What a command changed: new values by name, None where it removed one."""

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
    """Return what has to be done to ``start`` to reach ``end``.

    ``visible(name, variable)`` says whether the shell would have reported that variable of
    ``start``: one that it can't report is not taken for removed. Without ``removals`` nothing is.
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
    # Most are the same object: what is read of the same line is remembered.
    changed: dict[bytes, V | None] = {
        name: value
        for name, value in end.items()
        if (before := start.get(name)) is not value and before != value
    }
    if removals:
        changed.update((name, None) for name in start if name not in end)
    return changed


def apply(state: State, change: Change) -> State:
    """Return ``state`` with ``change`` made to it."""
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
