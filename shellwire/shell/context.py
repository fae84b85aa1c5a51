"""A context: the state that commands hand on; what one left is what the next starts from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shellwire.shell.dialect import SECRETS, CannotEnter
from shellwire.shell.readback import unreadable
from shellwire.shell.report import UNREPORTED
from shellwire.shell.state import (
    IDENTIFIER,
    OUR_PREFIX,
    Change,
    Function,
    State,
    Variable,
    apply,
    difference,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shellwire.shell.dialect import Dialect

MAX_SIZE = 1024 * 1024
"""Bytes of names and values that one context holds at most."""

_MAX_REPORT = 8 * MAX_SIZE

_NOT_REPORTED = "the shell could not report its state (ulimit -f, or an early end under set -v)"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a command started from: needed again to tell what it changed."""

    state: State
    epoch: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of a command's state. ``problem`` is for the user when it wasn't kept whole."""

    committed: bool
    problem: str | None = None


class Context:
    """One context. It changes only by whole values; what was handed out stays as it was."""

    def __init__(self, birth: State) -> None:
        self._birth = birth
        self._epoch = 0
        self._known: tuple[bytes, State] | None = None
        self._start: tuple[State, Mapping[bytes, bytes], State] | None = None
        self.state = birth

    def begin(
        self,
        *,
        cwd: bytes | None = None,
        env: Mapping[bytes, bytes],
        defaults: Mapping[bytes, bytes],
    ) -> tuple[Origin, bytes | None]:
        """Return what a command starts from, and the directory that was gone if the context's was.

        ``env`` is the request's; ``defaults`` are set where neither it nor the context says
        anything. A context whose directory can't be entered any more, for it has vanished or is
        closed to us, moves to the nearest ancestor that can.
        """
        gone = None
        if cwd is not None:
            # As ``cd`` does: the shell's report would else differ from what it was given.
            cwd = os.path.normpath(cwd)
        elif not _enterable(self.state.cwd):
            gone = self.state.cwd
            self.state = replace(self.state, cwd=_nearest(gone))
        state = self.start(defaults)
        if cwd is not None or env:
            extra = {name: Variable(value) for name, value in env.items() if _is_free(name)}
            state = apply(state, Change(cwd=cwd, variables=extra))
        return Origin(state, self._epoch), gone

    def start(self, defaults: Mapping[bytes, bytes]) -> State:
        """Return what a command starts from whose request says nothing about it.

        The same object as long as the context stays the same.
        """
        if self._start is None or self._start[0] is not self.state or self._start[1] != defaults:
            missing = {
                name: Variable(value)
                for name, value in defaults.items()
                if name not in self.state.variables
            }
            start = apply(self.state, Change(variables=missing))
            self._start = (self.state, defaults, start)
        return self._start[2]

    def commit(
        self, origin: Origin, dialect: Dialect, report: bytes, token: bytes, tag: bytes
    ) -> Commit:
        """Take over what the command changed, all or nothing.

        ``token`` and ``tag`` are what only this shell was given; they differ in reports of the same
        state. Raises CannotEnter when the command never ran for want of its directory.
        """
        if len(report) > _MAX_REPORT:
            return Commit(committed=False, problem=f"its state is larger than {MAX_SIZE} bytes")
        known = report.replace(tag, b"").replace(token, b""), origin.state
        if self._known == known and origin.epoch == self._epoch:
            # The same report from the same start: whatever it changed, it changed nothing then.
            return Commit(committed=True)
        payload = dialect.payload(report, token)
        if payload is None:
            lost = report.endswith(UNREPORTED)
            return Commit(committed=False, problem=_NOT_REPORTED if lost else None)
        if origin.epoch != self._epoch:
            return Commit(committed=False, problem="the context was reset while it ran")
        parsed = dialect.parse(payload)
        if parsed is None:
            return Commit(committed=False, problem="its state could not be read")
        change = difference(
            origin.state,
            parsed.state,
            visible=lambda name, each: name not in parsed.unknown and dialect.reports(name, each),
            removals=parsed.whole,
        )
        change, problem = _readable(change, dialect, parsed.state)
        if change:
            state = apply(self.state, change)
            if state.size() > MAX_SIZE:
                return Commit(committed=False, problem=f"its state is larger than {MAX_SIZE} bytes")
            self.state = state
        elif parsed.whole:
            self._known = known
        if not parsed.whole:
            problem = "a part of the context could not be restored"
        return Commit(committed=True, problem=problem)

    def edit(
        self, *, cwd: bytes | None, env: Mapping[bytes, bytes], unset: Iterable[bytes]
    ) -> None:
        """Set directory and variables, and remove some. Raises ValueError if it gets too large."""
        changes: dict[bytes, Variable | None] = {
            name: Variable(value) for name, value in env.items() if _is_free(name)
        }
        changes.update(dict.fromkeys(unset))
        if cwd is not None:
            cwd = os.path.normpath(cwd)
        state = apply(self.state, Change(cwd=cwd, variables=changes))
        if state.size() > MAX_SIZE:
            raise ValueError(f"a context holds at most {MAX_SIZE} bytes")
        self.state = state

    def reset(self) -> None:
        """Go back to the daemon's start; a command begun before commits nothing."""
        self.state = self._birth
        self._epoch += 1
        self._known = None


def _readable(change: Change, dialect: Dialect, state: State) -> tuple[Change, str | None]:
    """Return ``change`` without the functions that can't be restored, and which these are."""
    new = {name: function for name, function in change.functions.items() if function is not None}
    broken = unreadable(dialect, state, new) if new else frozenset()
    if not broken:
        return change, None
    # What they were before is not kept either: the command would have called what is new.
    functions = {**change.functions, **dict.fromkeys(broken)}
    names = ", ".join(sorted(name.decode("utf-8", "replace") for name in broken))
    problem = f"the shell prints what it can't read back of the functions {names[:500]}"
    return replace(change, functions=functions), problem


def _is_free(name: bytes) -> bool:
    """Whether a variable of that name is the users', and not ours inside a shell."""
    return name not in SECRETS and not name.startswith(OUR_PREFIX)


def _enterable(path: bytes) -> bool:
    return os.access(os.path.join(path, b"."), os.X_OK)


def _nearest(path: bytes) -> bytes:
    while not _enterable(path):
        parent = os.path.dirname(path)
        if parent == path:
            return b"/"
        path = parent
    return path


def birth_state(environ: Mapping[bytes, bytes], cwd: str) -> State:
    """Return the state that contexts are born with: the daemon's own environment and directory.

    Functions that bash exported to the daemon (``BASH_FUNC_name%%``) become functions again.
    """
    variables: dict[bytes, Variable] = {}
    functions: dict[bytes, Function] = {}
    for name, value in environ.items():
        if name.startswith(b"BASH_FUNC_") and name.endswith(b"%%"):
            function = name[len(b"BASH_FUNC_") : -2]
            if IDENTIFIER.match(function) and function != b"builtin":
                functions[function] = Function(function + b" " + value, exported=True)
        elif _is_free(name):
            variables[name] = Variable(value)
    return State(os.fsencode(cwd), variables, functions)


__all__ = ["MAX_SIZE", "CannotEnter", "Commit", "Context", "Origin", "birth_state"]
