"""A context: the state that commands hand on; what one left is what the next starts from."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

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
"""Bytes of names and values that one context holds at most."""

COMMAND_DEFAULTS = {
    b"PAGER": b"cat",
    b"GIT_PAGER": b"cat",
    b"GIT_TERMINAL_PROMPT": b"0",
    b"GIT_EDITOR": b"false",
    b"EDITOR": b"false",
    b"VISUAL": b"false",
}
"""What runs without a terminal finds set, whatever the daemon was started with: nobody would see a
pager, an editor or a question, so each ends at once."""

TERMINAL_DEFAULTS = {b"TERM": b"xterm-256color"}
"""What runs on a terminal finds set if the context has no such variable."""

_MAX_REPORT = 8 * MAX_SIZE

# They describe the terminal in which the daemon was started. No job runs on that one. COLUMNS and
# LINES would even beat the real size (ncurses(3X), use_env).
_OF_A_TERMINAL = frozenset(
    b"TERM TERMCAP COLORTERM TERM_PROGRAM TERM_PROGRAM_VERSION COLUMNS LINES".split()
)
_TOO_LARGE = f"its state is larger than {MAX_SIZE} bytes"
_NOT_REPORTED = "the shell could not report its state (ulimit -f, or an early end under set -v)"


# No shell is started with these (OLDPWD is set by other means): a context does not hold them.
_NOT_SET = SECRETS | WITHHELD - {b"OLDPWD"}


@dataclass(frozen=True, slots=True)
class Origin:
    """The state that a command started from; its changes are measured against it."""

    state: State
    epoch: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Whether a command's state was kept. ``problem`` tells the user what was not."""

    committed: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A change with new functions, to be committed by ``Context.keep`` once they are read back."""

    change: Change
    state: State
    """The state that the command left, as reported."""
    functions: Mapping[bytes, Function]
    """The new functions."""
    epoch: int
    whole: bool


class Context:
    """One context. It changes only by whole values; what was handed out stays as it was."""

    def __init__(self, birth: State) -> None:
        self._birth = birth
        self._epoch = 0
        self._known: tuple[bytes, State] | None = None
        self._starts: dict[bool, tuple[State, State]] = {}
        # Of COMMAND_DEFAULTS, those that a command or an edit has set or removed.
        self._chosen: set[bytes] = set()
        self.state = birth

    def begin(
        self,
        *,
        cwd: bytes | None = None,
        env: Mapping[bytes, bytes],
        terminal: bool,
    ) -> tuple[Origin, bytes | None]:
        """Return what a command starts from, and the directory that was gone if the context's was.

        ``env`` is the request's, and ``terminal`` whether it runs on one. A context whose directory
        can't be entered any more, for it has vanished or is closed to us, moves to the nearest
        ancestor that can.
        """
        gone = None
        if cwd is not None:
            # As ``cd`` does: the shell's report would else differ from what it was given.
            cwd = os.path.normpath(cwd)
        elif not _enterable(self.state.cwd):
            gone = self.state.cwd
            self.state = replace(self.state, cwd=_nearest(gone))
        state = self.start(terminal=terminal)
        if cwd is not None or env:
            extra = {name: Variable(value) for name, value in env.items() if _is_free(name)}
            state = apply(state, Change(cwd=cwd, variables=extra))
        return Origin(state, self._epoch), gone

    def start(self, *, terminal: bool) -> State:
        """Return what a command starts from whose request says nothing about it.

        The same object as long as the context stays the same.
        """
        cached = self._starts.get(terminal)
        if cached is None or cached[0] is not self.state:
            defaults = TERMINAL_DEFAULTS if terminal else COMMAND_DEFAULTS
            own = self.state.variables if terminal else self._chosen
            added = {name: Variable(value) for name, value in defaults.items() if name not in own}
            cached = self.state, apply(self.state, Change(variables=added))
            self._starts[terminal] = cached
        return cached[1]

    def commit(
        self, origin: Origin, dialect: Dialect, report: bytes, token: bytes, tag: bytes
    ) -> Commit | Draft:
        """Take over what the command changed, all or nothing.

        Returns a Draft, and changes nothing yet, if there are new functions: the shell may have
        printed them otherwise than it reads them. ``token`` and ``tag`` were given to this shell
        alone and differ in reports of the same state. Raises CannotEnter if the command never ran
        because its directory could not be entered.
        """
        if len(report) > _MAX_REPORT:
            return Commit(committed=False, problem=_TOO_LARGE)
        known = report.replace(tag, b"").replace(token, b""), origin.state
        if self._known == known and origin.epoch == self._epoch:
            # The same report from the same origin changed nothing the last time either.
            return Commit(committed=True)
        payload = dialect.payload(report, token)
        if payload is None:
            lost = report.endswith(UNREPORTED)
            return Commit(committed=False, problem=_NOT_REPORTED if lost else None)
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
        commit = self.keep(draft, frozenset())
        if commit.committed and draft.whole and not change:
            self._known = known
        return commit

    def keep(self, draft: Draft, broken: frozenset[bytes]) -> Commit:
        """Commit a draft without the functions ``broken``, which can't be read back."""
        if draft.epoch != self._epoch:
            return Commit(committed=False, problem="the context was reset while it ran")
        change, problem = draft.change, None
        if broken:
            # The earlier functions of these names go too: the command would have called the new.
            functions = {**change.functions, **dict.fromkeys(broken)}
            change = replace(change, functions=functions)
            names = ", ".join(sorted(name.decode("utf-8", "replace") for name in broken))
            problem = f"the shell prints what it can't read back of the functions {names[:500]}"
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
        """Set directory and variables, and remove some. Raises ValueError if it gets too large."""
        changes: dict[bytes, Variable | None] = {
            name: Variable(value) for name, value in env.items() if _is_free(name)
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
        """Go back to the daemon's start; a command begun before commits nothing."""
        self.state = self._birth
        self._chosen.clear()
        self._starts.clear()
        self._epoch += 1
        self._known = None


def _is_free(name: bytes) -> bool:
    """Whether a variable of that name can be set: it is not ours, and no shell says it itself."""
    return name not in _NOT_SET and not name.startswith(OUR_PREFIX)


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

    Variables that describe a terminal are left out: the daemon's terminal is not its jobs' one.
    Functions that bash exported to the daemon (``BASH_FUNC_name%%``) become functions again.
    """
    variables: dict[bytes, Variable] = {}
    functions: dict[bytes, Function] = {}
    for name, value in environ.items():
        if name.startswith(b"BASH_FUNC_") and name.endswith(b"%%"):
            function = name[len(b"BASH_FUNC_") : -2]
            if IDENTIFIER.match(function) and function != b"builtin":
                functions[function] = Function(function + b" " + value, exported=True)
        elif _is_free(name) and name not in _OF_A_TERMINAL:
            variables[name] = Variable(value)
    return State(os.fsencode(cwd), variables, functions)


__all__ = ["MAX_SIZE", "CannotEnter", "Commit", "Context", "Draft", "Origin", "birth_state"]
