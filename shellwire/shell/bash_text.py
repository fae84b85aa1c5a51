"""The text that ``bash -c`` runs: it restores state, runs a command and reports the new state.

How it works, and why:

- The text is one physical line, so that line numbers in the command start at 1.
- The descriptors of report, script, restore text and pipe move to 210 to 213. They are copied from
  10 to 13, the copies that bash saves while a group has the originals closed. Only those saved
  copies have close-on-exec set, and ``exec 210>&10`` copies the flag: so no program that the
  command runs inherits the descriptors.
- The shell then waits for its script. The script begins with a patch, ended by NUL: the changes of
  state since the shell was started.
- ``$(<file)`` expands the command: it reads in blocks and does not fork (bash ≥ 5.2). ``eval --``
  runs it: line numbers, ``return`` and BASH_SOURCE are as under ``bash -c``.
- The report is written after the command, on the main line. If control never gets there (exit,
  set -e, set -u, a syntax error, a signal), an EXIT trap writes it. A variable, set on the main
  line, tells the trap that there is nothing left to do. It is also set until the patch is applied:
  a shell that is ended before would report the state that it was started in, perhaps that of
  another context.
- Bash reads each line of the trap when it executes it. After a report on the main line it reads
  only the first one. The user's aliases apply to the first two lines. So these contain no reserved
  word, which an alias could replace, and the second turns aliases off if one would break the third.
  ``((`` is no word, and its redirections hide what DEBUG and xtrace write.
- The last act on the main line is a line in the pipe: the report is whole, and this is the status.
  Then the daemon need not wait for the exit, unless an EXIT trap of the user's follows. That is why
  the report begins with ``trap -p EXIT``. An early end writes no such line.
- ``set -v`` writes each line of a trap to stderr when bash reads it; nothing can prevent that. A
  command that may turn it on runs without the trap, but with a function ``exit``, which sets the
  trap once verbose is off again. Other early ends (``set -e``, a signal) are then not reported.
- Nothing that the command may have changed may distort the report. First, options, posix mode and
  the traps that could write are reset. Their remaining output goes into the report file before the
  token with which the report begins. Aliases are turned off before the rest of the trap is read. No
  file is opened (restricted mode, ``ulimit -n``). SIGXFSZ is ignored: otherwise ``ulimit -f`` could
  kill the shell while it reports, and that would pass for the command's end. If the report can't be
  written to its file, a byte in the pipe says so; no limit applies to pipes.
- ``exit`` inside a function runs the trap while the function's locals are visible. To tell them
  from globals, the globals are marked (``declare -gt``). Then a deeper function unsets the locals,
  one scope at a time. A variable that still lacks the mark is a local that can't be unset, or a
  global nameref (``declare`` marks its target instead).
"""

from __future__ import annotations

import re
from string import ascii_letters

from shellwire.shell import bash_report

_RESTORE = (
    '__shellwire_s=; eval "$(</dev/fd/212)" 2>/dev/null; \\builtin unset -v BASH_EXECUTION_STRING; '
    'IFS= TMOUT= \\builtin read -r -d "" -u 211 __shellwire_p; SECONDS=0; '
    '\\builtin eval "$__shellwire_p"; \\builtin unset -v __shellwire_s __shellwire_p; '
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
# In the trap the token is written in two halves: else a report, which holds the trap's text, would
# contain the token not only where it begins and ends.
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
).replace("TOKEN", "HALVES")
_WITH_REPORT = (
    "{ exec 210>&10 211<&11 212<&12 213>&13; } 200>&- 201<&- 202<&- 203>&-; "
    f"exec 200>&- 201<&- 202<&- 203>&-; trap '{_TRAP}' EXIT; {_RESTORE}; "
    f"{{ __shellwire_s=$?; {_QUIET}\\builtin trap -p EXIT; "
    f'\\builtin printf "%s\\0" TOKEN; {_STATE}}} >&210 2>&1 && '
    f'\\builtin printf "%s %s\\n" TOKEN "$__shellwire_s" 2>&- >&213 {_LOST}; '
    '\\builtin exit "$__shellwire_s"'
).encode()
_OUR_TRAP = b"trap -- '%s' EXIT\n" % _TRAP.replace("'$'\\n''", "\n").encode()


def with_report(token: bytes) -> bytes:
    """Return the text of a shell that reports its state between two ``token``."""
    return _WITH_REPORT.replace(b"HALVES", _halves(token)).replace(b"TOKEN", token)


def our_trap(token: bytes) -> bytes:
    """Return what ``trap -p EXIT`` prints if the command has not changed that trap."""
    return _OUR_TRAP.replace(b"HALVES", _halves(token))


def _halves(token: bytes) -> bytes:
    middle = len(token) // 2
    return token[:middle] + b'""' + token[middle:]


WITHOUT_REPORT = (
    f"{{ exec 211<&10 212<&11; }} 201<&- 202<&-; exec 201<&- 202<&-; {_RESTORE}"
).encode()
"""The text of a shell that reports nothing."""

# ``set -v``, ``set -euv``, ``set -o verbose``, ``shopt -so verbose``, ``set $options``. A false
# match costs the report of some early ends; a missed one shows our trap to the user.
VERBOSE = re.compile(
    rb"(?<![\w.-])(?:set[ \t]+(?:[-+][A-Za-z]+[ \t]+(?:[a-z]+[ \t]+)?)*(?:-[A-Za-z]*v|[\"']?\$)"
    rb"|(?:set|shopt)[ \t][^\n;&|]*verbose)"
)
# The end of the patch of a command that matches VERBOSE.
WITHOUT_TRAP = rb"""
\builtin shopt -u expand_aliases
__shellwire_t=$(\builtin trap -p EXIT); \builtin trap - EXIT; \builtin printf x 2>/dev/null >&213
\builtin declare -F exit >/dev/null || exit () {
{ \builtin set -- "${1-$?}" "${@:2}"; case $BASH_SUBSHELL$(\builtin trap -p EXIT) in
0) \builtin set +v; \builtin eval "$__shellwire_t";; esac; \builtin set +x; } 2>/dev/null
\builtin exit "$@"; }
\builtin shopt -s expand_aliases"""
