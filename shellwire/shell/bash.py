"""The dialect of GNU bash: how its state is restored, patched and reported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.shell import bash_report, bash_text
from shellwire.shell.dialect import (
    CD_FAILED,
    SECRETS,
    WITHHELD,
    CannotEnter,
    Dialect,
    Start,
    between,
    environment,
)
from shellwire.shell.quoting import quote
from shellwire.shell.state import IDENTIFIER, difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.shell.dialect import Report
    from shellwire.shell.state import State, Variable

_POSIX = b"POSIXLY_CORRECT"
_MAX_PATCH = 2048
# Restored by a line of its own, or not at all.
_NEVER_RESTORED = WITHHELD | SECRETS | {_POSIX}
# Variables that bash reads only at its start, or sets then if they are missing.
_SET_AT_START = frozenset({_POSIX, b"HOSTNAME", b"PATH", b"SHELL", b"TERM"})
_ENTER = (
    b'cd -- %%s || { \\builtin printf "%%%%s\\0%%%%s\\0%%%%s" %%s %s %%s >&210; \\builtin exit 1; }'
    % CD_FAILED
)
# Read twice: by the shell that is to become another program, then by that program if it is an
# interactive bash. By then the user's .bashrc may have defined aliases and functions.
_BASHRC = b"""case $- in *i*) exec 213<&-; [[ ! -r ~/.bashrc ]] || . ~/.bashrc;; esac
\\builtin shopt -u expand_aliases
\\builtin cd -- %s || \\builtin exit 1"""


class Bash(Dialect):
    """GNU bash: carries variables with attributes, functions and aliases."""

    report_fd = 200
    script_fd = 201
    restore_fd = 202
    lost_fd = 203

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._last: tuple[State, bool, Mapping[bytes, bytes], bytes] | None = None

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        text = bash_text.with_report(token) if report else bash_text.WITHOUT_REPORT
        if self._last is None or self._last[0] is not state or self._last[1] != report:
            carried = _environment(state)
            self._last = (state, report, carried, _restore(state, carried, report=report))
        _, _, env, restore = self._last
        cwd = quote(state.cwd)
        enter = _ENTER % (cwd, token, token) if report else _BASHRC % cwd
        return Start((self.path.encode(), b"-c", text), env, enter + b"\n" + restore)

    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        if have is want:
            return b""
        patch = _patch(have, want, token)
        # Bash reads the patch byte by byte: a longer one costs more than starting another shell.
        return patch if patch is not None and len(patch) <= _MAX_PATCH else None

    def script(self, patch: bytes, text: bytes) -> bytes:
        if bash_text.VERBOSE.search(text):
            patch += bash_text.WITHOUT_TRAP
        return patch + b"\0" + text

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        payload = between(report, token)
        if payload == CD_FAILED:
            raise CannotEnter
        return payload

    def is_final(self, report: bytes, token: bytes) -> bool:
        # Whatever a trap of the user's wrote stands before.
        begin = report.find(token + b"\0")
        trap = bash_text.our_trap(token)
        return report.endswith(trap, 0, max(begin, 0)) and report.endswith(b"\0" + token)

    def parse(self, payload: bytes) -> Report | None:
        return bash_report.parse(payload)

    def reports(self, name: bytes, variable: Variable) -> bool:
        return IDENTIFIER.match(name) is not None and not bash_report.ignored(name, variable.flags)

    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        become = b"\\builtin exec " + quote(program.encode())
        if interactive and os.path.basename(program).startswith("bash"):
            # An interactive bash reads the restore text as its .bashrc.
            return become + b" --rcfile /dev/fd/213 -i 213</dev/fd/212"
        return become


def _environment(state: State) -> dict[bytes, bytes]:
    # The restore text sets locale variables, with messages off: in the environment, a locale that
    # is not installed would cause a warning at every start. POSIXLY_CORRECT would change how bash
    # parses its text.
    variables = state.variables
    return {
        name: value
        for name, value in environment(state).items()
        if variables[name].flags == "x" and not name.startswith(b"LC_") and name != _POSIX
    }


def _patch(have: State, want: State, token: bytes) -> bytes | None:
    change = difference(have, want, visible=lambda *_: True)
    if change.functions:
        return None
    lines = []
    if change.cwd is not None:
        enter = _ENTER % (quote(change.cwd), token, token)
        lines += [b"\\builtin " + enter, _old_directory(want)]
    for name, variable in change.variables.items():
        if name == b"OLDPWD":
            lines.append(_old_directory(want))
        elif name not in WITHHELD | SECRETS:
            if not (_is_plain(name, have.variables.get(name)) and _is_plain(name, variable)):
                return None
            lines.append(_set(name, variable))
    for name, text in change.aliases.items():
        define = b"unalias -- " + quote(name)
        if text is not None:
            define = b"alias -- %s=%s" % (name, quote(text))
        lines.append(b"\\builtin " + define)
    if not lines:
        return b""
    # RESTORED is unset on a line of its own, before the group: if an error ends the group early,
    # the partial restore must not pass for a whole one. Aliases are off: one could be named "{".
    begin = b"\\builtin shopt -u expand_aliases; \\builtin unset -v " + bash_report.RESTORED
    end = b"\\builtin shopt -s expand_aliases; " + bash_report.RESTORED + b"=1; } 2>/dev/null"
    return b"\n".join([begin, b"{", *lines, end])


def _is_plain(name: bytes, variable: Variable | None) -> bool:
    """Whether setting it in a running shell has the same effect as starting the shell with it."""
    if not IDENTIFIER.match(name) or name.startswith(b"LC_") or name in _SET_AT_START:
        return False
    # A name that reports ignore even if it is exported belongs to bash and is not set.
    return not bash_report.ignored(name, "x") and (variable is None or variable.flags in ("", "x"))


def _set(name: bytes, variable: Variable | None) -> bytes:
    unset = b"\\builtin unset -v " + name
    if variable is None:
        return unset
    flags = variable.flags.encode() or b"-"
    value = b"" if variable.value is None else b"=" + quote(variable.value)
    return unset + b"; \\builtin declare -%s %s%s" % (flags, name, value)


def _declare(name: bytes, variable: Variable) -> bytes:
    if variable.value is None:
        return b"declare -%s %s" % (variable.flags.encode(), name)
    value = variable.value if variable.is_array else quote(variable.value)
    # An attribute that converts assigned values may be newer than the value: it is declared last.
    late = "".join(flag for flag in variable.flags if flag in "iluc")
    flags = "".join(flag for flag in variable.flags if flag not in late) or "-"
    text = b"declare -%s %s=%s" % (flags.encode(), name, value)
    return text + (b"; declare -%s %s" % (late.encode(), name) if late else b"")


def _old_directory(state: State) -> bytes:
    old = state.variables.get(b"OLDPWD")
    if old is not None and old.value is not None and not old.is_array:
        return b"OLDPWD=" + quote(old.value)
    return b"\\builtin unset -v OLDPWD; \\builtin export OLDPWD"


def _restore(state: State, env: Mapping[bytes, bytes], *, report: bool) -> bytes:
    """Return the text that restores what the environment ``env`` does not hold of ``state``."""
    lines = [_old_directory(state)]
    # Functions come last: before that, none can replace a builtin that this text uses. (``builtin``
    # can't precede ``declare a=(...)``: that would be a syntax error.)
    for name, variable in state.variables.items():
        if name not in env and name not in _NEVER_RESTORED and IDENTIFIER.match(name):
            lines.append(_declare(name, variable))
    lines.extend(b"alias -- %s=%s" % (name, quote(text)) for name, text in state.aliases.items())
    if state.functions:
        lines.append(b"shopt -s extglob")
        for name, function in state.functions.items():
            lines.append(function.text)
            if function.exported:
                lines.append(b"\\builtin declare -fx -- " + quote(name))
        lines.append(b"\\builtin shopt -u extglob")
    lines.append(b"\\builtin shopt -s expand_aliases")
    if report:
        lines[-1] += b"; " + bash_report.RESTORED + b"=1"
    posix = state.variables.get(_POSIX)
    if posix is not None:
        lines.append(b"\\builtin declare -x %s=%s" % (_POSIX, quote(posix.value or b"")))
    return b"\n".join(lines)
