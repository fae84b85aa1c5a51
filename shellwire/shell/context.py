"""A context: the shell state that one command leaves and the next one starts from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from shellwire.shell.dialect import SECRETS, UNREPORTED, WITHHELD, CannotEnter
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
"""The most bytes of names and values in one context."""

COMMAND_DEFAULTS = {
    b"PAGER": b"cat",
    b"GIT_PAGER": b"cat",
    b"GIT_TERMINAL_PROMPT": b"0",
    b"GIT_EDITOR": b"false",
    b"EDITOR": b"false",
    b"VISUAL": b"false",
}
"""Variables of jobs without a terminal, whatever the daemon's environment says. Nobody would see a
pager, an editor or a prompt, so each must end at once."""

TERMINAL_DEFAULTS = {b"TERM": b"xterm-256color"}
"""Variables of jobs on a terminal, for contexts that do not set them."""

_MAX_REPORT = 8 * MAX_SIZE

# These describe the terminal in which the daemon was started; no job runs on that one. COLUMNS and
# LINES would even override a terminal's real size (ncurses(3X), use_env).
_TERMINAL_VARIABLES = frozenset(
    b"TERM TERMCAP COLORTERM TERM_PROGRAM TERM_PROGRAM_VERSION COLUMNS LINES".split()
)
_TOO_LARGE = f"its state is larger than {MAX_SIZE} bytes"
_NOT_REPORTED = "the shell could not report its state (ulimit -f, or an early end under set -v)"


# No shell is started with these, so no context holds them. (OLDPWD is set in another way.)
_NEVER_CARRIED = SECRETS | WITHHELD - {b"OLDPWD"}


class Origin(msgspec.Struct, frozen=True):
    """The state that a command started from. Its changes are the differences from this state."""

    state: State
    epoch: int


class Commit(msgspec.Struct, frozen=True):
    """Whether a command's changes were committed. ``problem`` says what was not, and why."""

    committed: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A change with new functions, for ``Context.commit_draft`` once they have been read back."""

    change: Change
    state: State
    """The state that the command left, as reported."""
    functions: Mapping[bytes, Function]
    """The new functions."""
    epoch: int
    whole: bool
    """Whether the shell had restored its state completely before the command."""


class Context:
    """One context. Its state is an immutable value, which each change replaces."""

    def __init__(self, initial: State) -> None:
        self._initial = initial
        self._epoch = 0
        self._unchanged: tuple[bytes, State] | None = None
        self._start_states: dict[bool, tuple[State, State]] = {}
        # The names in COMMAND_DEFAULTS that a command or an edit has set or removed.
        self._chosen: set[bytes] = set()
        self.state = initial

    def make_origin(
        self,
        *,
        cwd: bytes | None = None,
        env: Mapping[bytes, bytes],
        terminal: bool,
    ) -> tuple[Origin, bytes | None]:
        """Return what a command starts from, and the context's directory if it can't be entered.

        ``cwd`` and ``env`` are the request's; ``terminal`` says whether it runs on a terminal. A
        context whose directory is gone, or may not be entered any more, moves to the nearest
        ancestor that can be entered.
        """
        gone = None
        if cwd is not None:
            # As ``cd`` does. Otherwise the shell would report another path than it was given.
            cwd = os.path.normpath(cwd)
        elif not _enterable(self.state.cwd):
            gone = self.state.cwd
            self.state = replace(self.state, cwd=_nearest(gone))
        state = self.start_state(terminal=terminal)
        if cwd is not None or env:
            extra = {name: Variable(value) for name, value in env.items() if _is_settable(name)}
            state = apply(state, Change(cwd=cwd, variables=extra))
        return Origin(state, self._epoch), gone

    def start_state(self, *, terminal: bool) -> State:
        """Return the state that a command starts from if its request has no cwd and no env.

        It is the same object as long as the context does not change.
        """
        cached = self._start_states.get(terminal)
        if cached is None or cached[0] is not self.state:
            defaults = TERMINAL_DEFAULTS if terminal else COMMAND_DEFAULTS
            own = self.state.variables if terminal else self._chosen
            added = {name: Variable(value) for name, value in defaults.items() if name not in own}
            cached = self.state, apply(self.state, Change(variables=added))
            self._start_states[terminal] = cached
        return cached[1]

    def commit(
        self, origin: Origin, dialect: Dialect, report: bytes, token: bytes, tag: bytes
    ) -> Commit | Draft:
        """Commit the command's changes from its shell's ``report``, all or nothing.

        If there are new functions, returns a Draft and changes nothing yet: the shell may not read
        functions back as it printed them. ``token`` and ``tag`` are unique to this shell and make
        reports of the same state differ. Raises CannotEnter if the command never ran because its
        directory could not be entered.
        """
        if len(report) > _MAX_REPORT:
            return Commit(committed=False, problem=_TOO_LARGE)
        payload = dialect.payload(report, token)
        if payload is None:
            lost = report.endswith(UNREPORTED)
            return Commit(committed=False, problem=_NOT_REPORTED if lost else None)
        seen = payload.replace(tag, b""), origin.state
        if self._unchanged == seen and origin.epoch == self._epoch:
            # The same report from the same origin changed nothing the last time.
            return Commit(committed=True)
        parsed = dialect.parse(payload)
        if parsed is None:
            return Commit(committed=False, problem="its state could not be read")
        change = difference(
            origin.state,
            parsed.state,
            visible=lambda name, each: name not in parsed.unknown and dialect.reports(name, each),
            removals=parsed.whole,
        )
        new = {name: each for name, each in change.functions.items() if each is not None}
        draft = Draft(change, parsed.state, new, origin.epoch, parsed.whole)
        if new and origin.epoch == self._epoch:
            return draft
        commit = self.commit_draft(draft, frozenset())
        if commit.committed and draft.whole and not change:
            self._unchanged = seen
        return commit

    def commit_draft(self, draft: Draft, broken: frozenset[bytes]) -> Commit:
        """Commit a draft without the ``broken`` functions, which can't be read back."""
        if draft.epoch != self._epoch:
            return Commit(committed=False, problem="the context was reset while it ran")
        change, problem = draft.change, None
        if broken:
            # Earlier functions of these names are removed too: the command has replaced them, so
            # the next one must not call them.
            functions = {**change.functions, **dict.fromkeys(broken)}
            change = replace(change, functions=functions)
            names = ", ".join(sorted(name.decode("utf-8", "replace") for name in broken))
            problem = f"functions that the shell can't read back are not kept: {names[:500]}"
        if change:
            state = apply(self.state, change)
            if state.size() > MAX_SIZE:
                return Commit(committed=False, problem=_TOO_LARGE)
            self._set(state, change)
        if not draft.whole:
            problem = "a part of the context could not be restored"
        return Commit(committed=True, problem=problem)

    def edit(
        self, *, cwd: bytes | None, env: Mapping[bytes, bytes], unset: Iterable[bytes]
    ) -> None:
        """Change directory and variables. Raises ValueError if the state gets too large."""
        changes: dict[bytes, Variable | None] = {
            name: Variable(value) for name, value in env.items() if _is_settable(name)
        }
        changes.update(dict.fromkeys(unset))
        if cwd is not None:
            cwd = os.path.normpath(cwd)
        change = Change(cwd=cwd, variables=changes)
        state = apply(self.state, change)
        if state.size() > MAX_SIZE:
            raise ValueError(f"a context holds at most {MAX_SIZE} bytes")
        self._set(state, change)

    def _set(self, state: State, change: Change) -> None:
        self.state = state
        self._chosen |= change.variables.keys() & COMMAND_DEFAULTS.keys()

    def reset(self) -> None:
        """Return to the initial state. Commands that are running now will commit nothing."""
        self.state = self._initial
        self._chosen.clear()
        self._start_states.clear()
        self._epoch += 1
        self._unchanged = None


def _is_settable(name: bytes) -> bool:
    """Whether a request may set this variable: neither shellwire nor the shell sets it itself."""
    return name not in _NEVER_CARRIED and not name.startswith(OUR_PREFIX)


def _enterable(path: bytes) -> bool:
    return os.access(path + b"/.", os.X_OK)


def _nearest(path: bytes) -> bytes:
    while not _enterable(path):
        parent = os.path.dirname(path)
        if parent == path:
            return b"/"
        path = parent
    return path


def initial_state(environ: Mapping[bytes, bytes], cwd: str) -> State:
    """Return the state that contexts start with: the daemon's environment and directory.

    Variables that describe a terminal are left out: no job runs on the daemon's terminal.
    Functions that bash exported to the daemon (``BASH_FUNC_name%%``) become functions again.
    """
    variables: dict[bytes, Variable] = {}
    functions: dict[bytes, Function] = {}
    for name, value in environ.items():
        if name.startswith(b"BASH_FUNC_") and name.endswith(b"%%"):
            function = name[len(b"BASH_FUNC_") : -2]
            if IDENTIFIER.match(function) and function != b"builtin":
                functions[function] = Function(function + b" " + value, exported=True)
        elif _is_settable(name) and name not in _TERMINAL_VARIABLES:
            variables[name] = Variable(value)
    return State(os.fsencode(cwd), variables, functions)


__all__ = ["MAX_SIZE", "CannotEnter", "Commit", "Context", "Draft", "Origin", "initial_state"]
