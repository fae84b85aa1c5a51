"""bash: the text that it is started with, and what it starts from.

The shape of the text, and why:

- It is one physical line, so that the command's own lines are counted from 1.
- Report, script and what to restore move to 210, 211 and 212 by way of the copies that bash saves
  for itself while a group has them closed: only those carry close-on-exec, which a later
  ``exec N>&10`` copies, and no program that the command runs then holds them open.
- Then it waits, until the script says first, ended by NUL, what has changed since it was started.
- The command is expanded by ``$(<file)``, which reads in blocks and does not fork (bash ≥ 5.2), and
  run by ``eval --``, which keeps line numbers, ``return`` and BASH_SOURCE as under ``bash -c``.
- Each line of the trap is read when bash comes to it. Where the report was made on the main line,
  only the first line is read. The user's aliases apply to the first two lines: so they hold no
  reserved word, which an alias could replace, and the second turns aliases off if one would break
  the third. ``((`` is no word, and its redirections hide what DEBUG and xtrace write.
- ``set -v`` writes each line of a trap to stderr when it is read, and nothing can prevent that. A
  text that may turn it on is run without the trap, but with a function called ``exit``, which sets
  it when verbose is off again. Other early ends (``set -e``, a signal) are then not reported.
- The report is made on the main line after the command, and by an EXIT trap when control never
  gets there (exit, set -e, set -u, a syntax error, a signal). A variable tells the trap of it.
- Nothing that the command may have changed must show in it: options, posix mode and the traps that
  could speak up go first, and what they still say goes into the report, before the token that
  begins it. Aliases go before the rest of the trap is read. No file is opened (restricted mode,
  ``ulimit -n``); SIGXFSZ is ignored, lest ``ulimit -f`` turn the report into the way the command
  died. A report that can't be written to its file is told of by a byte in a pipe (213), which no
  limit applies to.
- ``exit`` inside a function runs the trap with that function's locals in sight. They are told
  from the globals by marking the globals (``declare -gt``) and are then peeled off by unset from
  a deeper function, one scope each; a variable that still lacks the mark is a local that can't be
  unset, or a global nameref (``declare`` marks what it refers to).
"""

from __future__ import annotations

import os
import re
from string import ascii_letters
from typing import TYPE_CHECKING

from shellwire.shell import bash_report
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

_RESTORE = (
    'eval "$(</dev/fd/212)" 2>/dev/null; \\builtin unset -v BASH_EXECUTION_STRING; '
    'IFS= TMOUT= \\builtin read -r -d "" -u 211 __shellwire_p; SECONDS=0; '
    '\\builtin eval "$__shellwire_p"; \\builtin unset -v __shellwire_p; '
    '\\builtin eval -- "$(</dev/fd/211)"'
)
_QUIET = (
    "\\builtin trap - DEBUG ERR RETURN CHLD; \\builtin set +euxvnCfkTa; \\builtin set +o posix; "
    '\\builtin trap "" XFSZ; '
)
_ALL_NAMES = " ".join(f'"${{!{letter}@}}"' for letter in ascii_letters + "_")
_PEEL = (
    "__shellwire_peel () { \\builtin shopt -u localvar_unset; "
    "\\builtin local __shellwire_n __shellwire_d __shellwire_t; "
    'for __shellwire_n in "$@"; do \\builtin declare -gt -- "$__shellwire_n"; done; '
    'for __shellwire_n in "$@"; do __shellwire_t=; '
    "for ((__shellwire_d = ${#FUNCNAME[@]}; __shellwire_d; __shellwire_d--)); do "
    "if [[ -R $__shellwire_n ]]; then __shellwire_t=${!__shellwire_n}; "
    '\\builtin unset -n "$__shellwire_n"; continue; fi; '
    '\\builtin eval "[[ \\${$__shellwire_n@a} == *t* ]]" && continue 2; '
    '\\builtin unset -v "$__shellwire_n" || continue 2; done; '
    'case $__shellwire_t in ?*) \\builtin declare -gn "$__shellwire_n=$__shellwire_t";; esac; '
    "done; }; "
    f"__shellwire_peel {_ALL_NAMES}; \\builtin unset -f __shellwire_peel; "
)
_STATE = (
    '\\builtin pwd -L; \\builtin printf "\\0"; \\builtin declare -p; \\builtin printf "\\0"; '
    '\\builtin declare -F; \\builtin printf "\\0"; \\builtin declare -f; '
    '\\builtin printf "\\0"; \\builtin alias -p; \\builtin printf "\\0%s" TOKEN; '
)
_LOST = "|| \\builtin printf x 2>&- >&213"
_TRAP = (
    "((${__shellwire_s+1}0)) >&210 2>&1 && \\builtin exit'$'\\n''"
    "((${BASH_ALIASES[@]+1}0)) >&210 2>&1 && "
    '((${BASH_ALIASES["{"]+1}${BASH_ALIASES["}"]+1}0)) >&210 2>&1 && '
    "((BASH_XTRACEFD=210)) >&210 2>&1 && \\builtin shopt -u expand_aliases'$'\\n''"
    f"{{ {_QUIET}\\builtin shopt -u expand_aliases; }} >&210 2>&1'$'\\n''"
    "{ case ${#FUNCNAME[@]} in "
    '0) \\builtin printf "%s\\0" TOKEN;; '
    f'*) {_PEEL}\\builtin printf "%s\\0%s" TOKEN {bash_report.INSIDE.decode()};; '
    f"esac; {_STATE}}} >&210 2>&- {_LOST}"
)
_TEMPLATE = (
    "{ exec 210>&10 211<&11 212<&12 213>&13; } 200>&- 201<&- 202<&- 203>&-; "
    f"exec 200>&- 201<&- 202<&- 203>&-; trap '{_TRAP}' EXIT; {_RESTORE}; "
    f'{{ __shellwire_s=$?; {_QUIET}\\builtin printf "%s\\0" TOKEN; {_STATE}}} >&210 2>&1 {_LOST}; '
    '\\builtin exit "$__shellwire_s"'
).encode()
_UNREPORTED = (
    f"{{ exec 211<&10 212<&11; }} 201<&- 202<&-; exec 201<&- 202<&-; {_RESTORE}"
).encode()

# ``set -v``, ``set -euv``, ``set -o verbose``, ``shopt -so verbose``, ``set $options``. A match too
# many costs the report of some early ends; a match too few shows the user our trap.
_VERBOSE = re.compile(
    rb"(?<![\w.-])(?:set[ \t]+(?:[-+][A-Za-z]+[ \t]+(?:[a-z]+[ \t]+)?)*(?:-[A-Za-z]*v|[\"']?\$)"
    rb"|(?:set|shopt)[ \t][^\n;&|]*verbose)"
)
_WITHOUT_TRAP = rb"""
\builtin shopt -u expand_aliases
__shellwire_t=$(\builtin trap -p EXIT); \builtin trap - EXIT; \builtin printf x 2>/dev/null >&213
\builtin declare -F exit >/dev/null || exit () {
{ \builtin set -- "${1-$?}" "${@:2}"; case $BASH_SUBSHELL$(\builtin trap -p EXIT) in
0) \builtin set +v; \builtin eval "$__shellwire_t";; esac; \builtin set +x; } 2>/dev/null
\builtin exit "$@"; }
\builtin shopt -s expand_aliases"""

_POSIX = b"POSIXLY_CORRECT"
_LONGEST_PATCH = 2048
# Set by a line of its own, or not at all.
_NEVER_RESTORED = WITHHELD | SECRETS | {_POSIX}
# What bash gives a value of its own if it is started without one, or reads only then.
_SET_AT_START = frozenset({_POSIX, b"HOSTNAME", b"PATH", b"SHELL", b"TERM"})
_ENTER = (
    b'cd -- %%s || { \\builtin printf "%%%%s\\0%%%%s\\0%%%%s" %%s %s %%s >&210; \\builtin exit 1; }'
    % CD_FAILED
)
# Read twice: by the shell that is to become another program, and by that if it is an interactive
# bash, which the user's own .bashrc may have given aliases and functions by then.
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
        text = _TEMPLATE.replace(b"TOKEN", token) if report else _UNREPORTED
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
        # It is read byte by byte: more than this costs more than another shell.
        return patch if patch is not None and len(patch) <= _LONGEST_PATCH else None

    def script(self, patch: bytes, text: bytes) -> bytes:
        if _VERBOSE.search(text):
            patch += _WITHOUT_TRAP
        return patch + b"\0" + text

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        payload = between(report, token)
        if payload == CD_FAILED:
            raise CannotEnter
        return payload

    def parse(self, payload: bytes) -> Report | None:
        return bash_report.parse(payload)

    def reports(self, name: bytes, variable: Variable) -> bool:
        return IDENTIFIER.match(name) is not None and not bash_report.ignored(name, variable.flags)

    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        become = b"\\builtin exec " + quote(program.encode())
        if interactive and os.path.basename(program).startswith("bash"):
            # What is restored is, to a bash that asks for commands, its .bashrc.
            return become + b" --rcfile /dev/fd/213 -i 213</dev/fd/212"
        return become


def _environment(state: State) -> dict[bytes, bytes]:
    # Locale variables are set by the shell with its messages off: one that names a locale which is
    # not installed would warn at every start. POSIXLY_CORRECT would change how all this is read.
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
    # On a line of its own: what is done of the rest before an error would else pass for the whole.
    # An alias could be called "{".
    begin = b"\\builtin shopt -u expand_aliases; \\builtin unset -v " + bash_report.RESTORED
    end = b"\\builtin shopt -s expand_aliases; " + bash_report.RESTORED + b"=1; } 2>/dev/null"
    return b"\n".join([begin, b"{", *lines, end])


def _is_plain(name: bytes, variable: Variable | None) -> bool:
    """Whether setting it in a shell that runs is the same as having started the shell with it."""
    if not IDENTIFIER.match(name) or name.startswith(b"LC_") or name in _SET_AT_START:
        return False
    # A flag that none has is ignored by no report: what bash sets by itself is left alone.
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
    # An attribute that changes what is assigned may be younger than the value.
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
    """Return what sets that of ``state`` which does not come with the environment ``env``."""
    lines = [_old_directory(state)]
    # The functions come last: until then no name of a builtin can mean anything else. (``builtin``
    # itself would make ``declare a=(...)`` a syntax error.)
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
