"""bash: the text it is started with, what that leaves on the report, and reading it back.

The shape of the text, and why:

- It is one physical line, so that the command's own lines are counted from 1.
- Report, script and what to restore move to 210, 211 and 212 by way of the copies that bash saves
  for itself while a group has them closed: only those carry close-on-exec, which a later
  ``exec N>&10`` copies, and no program that the command runs then holds them open.
- The command is expanded by ``$(<file)``, which reads in blocks and does not fork (bash ≥ 5.2), and
  run by ``eval --``, which keeps line numbers, ``return`` and BASH_SOURCE as under ``bash -c``.
- The report is made on the main line after the command, and by an EXIT trap when control never
  gets there (exit, set -e, set -u, a syntax error, a signal). A variable tells the trap of it.
- Nothing that the command may have changed must show in it: options, posix mode and the DEBUG, ERR
  and RETURN traps go first, with all output to nowhere; SIGXFSZ is ignored, lest ``ulimit -f`` turn
  the report into the way the command died.
- ``exit`` inside a function runs the trap with that function's locals in sight. They are told
  from the globals by marking the globals (``declare -gt``) and are then peeled off by unset from
  a deeper function, one scope each; a variable that still lacks the mark is a local.
"""

from __future__ import annotations

import re
from string import ascii_letters
from typing import TYPE_CHECKING

from shellwire.shell.dialect import (
    CD_FAILED,
    LONGEST_STRING,
    SECRETS,
    WITHHELD,
    CannotEnter,
    Dialect,
    Report,
    Start,
    between,
    environment,
)
from shellwire.shell.state import IDENTIFIER, OUR_PREFIX, Function, State, Variable
from shellwire.shell.words import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESTORE = (
    'eval "$(</dev/fd/212)" 2>/dev/null; \\builtin unset -v BASH_EXECUTION_STRING; '
    '\\builtin eval -- "$(</dev/fd/211)"'
)
_QUIET = (
    "\\builtin trap - DEBUG ERR RETURN; \\builtin set +euxvnCfkTa; \\builtin set +o posix; "
    '\\builtin trap "" XFSZ; '
)
_ALL_NAMES = " ".join(f'"${{!{letter}@}}"' for letter in ascii_letters + "_")
_PEEL = (
    "__shellwire_peel () { \\builtin local __shellwire_n; "
    'for __shellwire_n in "$@"; do \\builtin declare -gt -- "$__shellwire_n"; '
    '\\builtin eval "while [[ \\${$__shellwire_n@a} != *t* && -v $__shellwire_n ]]; '
    'do \\builtin unset -v $__shellwire_n || \\builtin break; done"; done; }; '
    f"__shellwire_peel {_ALL_NAMES}; \\builtin unset -f __shellwire_peel; "
)
# Sections end with NUL, which no value of a shell can hold.
_STATE = (
    '\\builtin pwd; \\builtin printf "\\0"; \\builtin declare -p; \\builtin printf "\\0"; '
    '\\builtin declare -F; \\builtin printf "\\0"; \\builtin declare -f; '
    '\\builtin printf "\\0"; \\builtin alias -p; '
)
_TEMPLATE = (
    "{ exec 210>&10 211<&11 212<&12; } 200>&- 201<&- 202<&-; "
    "exec 200>&- 201<&- 202<&-; trap '{ "
    + _QUIET
    + "} >/dev/null 2>&1; case ${__shellwire_s+x} in x) ;; *) { "
    + 'case ${#FUNCNAME[@]} in 0) \\builtin printf "%s\\0" TOKEN;; '
    + "*) "
    + _PEEL
    + '\\builtin printf "%s\\0%s" TOKEN inside;; esac; '
    + _STATE
    + '\\builtin printf "\\0%s" TOKEN; } 2>/dev/null >&210;; esac\' EXIT; '
    + _RESTORE
    + "; { __shellwire_s=$?; "
    + _QUIET
    + '} >/dev/null 2>&1; { \\builtin printf "%s\\0" TOKEN; '
    + _STATE
    + '\\builtin printf "\\0%s" TOKEN; } 2>/dev/null >&210; \\builtin exit $__shellwire_s'
).encode()
_UNREPORTED = (
    f"{{ exec 211<&10 212<&11; }} 201<&- 202<&-; exec 201<&- 202<&-; {_RESTORE}"
).encode()

_INSIDE = b"inside"

# Set by the last line of what is restored: missing, something before it failed.
_RESTORED = OUR_PREFIX + b"r"

# Set by bash itself (bash(1), Shell Variables), so no part of what a command leaves.
_OWN = re.compile(
    rb"(?:BASH.*|COMP_.*|PS\d|READLINE_.*|COPROC|DIRSTACK|EPOCHREALTIME|EPOCHSECONDS|EUID|FUNCNAME"
    rb"|GROUPS|HISTCMD|HOSTTYPE|IFS|LINENO|MACHTYPE|OPTARG|OPTERR|OPTIND|OSTYPE|PIPESTATUS|PPID|PWD"
    rb"|RANDOM|SECONDS|SHELLOPTS|SHLVL|SRANDOM|UID|_)\Z"
)
_OWN_UNLESS_EXPORTED = frozenset({b"HOSTNAME", b"TERM", b"SHELL", b"LINES", b"COLUMNS"})

_DECLARE = re.compile(rb"declare -(\S+) ([^=\n]+)(?:=([^\n]*))?\n")
_DECLARE_F = re.compile(rb"declare -f(\w*) ([^\n]+)\n")
_ALIAS = re.compile(rb"alias (?:-- )?([^=\n]+)='([^']*(?:'\\''[^']*)*)'\n")

# Values that change between two commands which changed nothing.
_RESTLESS = re.compile(
    rb"^declare -\S+ (?:BASH\w*|EPOCH\w+|FUNCNAME|HISTCMD|LINENO|OLDPWD(?=\n)|PIPESTATUS|PPID"
    rb"|RANDOM|SECONDS|SRANDOM|_|__shellwire_[^r])(?:=.*)?\n",
    re.MULTILINE,
)


class Bash(Dialect):
    """GNU bash: carries variables with attributes, functions and aliases."""

    report_fd = 200
    script_fd = 201
    restore_fd = 202

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        text = _TEMPLATE.replace(b"TOKEN", token) if report else _UNREPORTED
        return Start(
            argv=(self.path.encode(), b"-c", text),
            env={
                name: value
                for name, value in environment(state).items()
                if _by_environment(name, state.variables[name])
            },
            restore=_restore(state, token if report else b""),
        )

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        payload = between(report, token)
        if payload == CD_FAILED:
            raise CannotEnter
        if payload is None:
            return None
        cwd, variables, rest = (*payload.split(b"\0", 2), b"", b"")[:3]
        return b"\0".join((cwd, _RESTLESS.sub(b"", variables), rest))

    def parse(self, payload: bytes) -> Report | None:
        inside = payload.startswith(_INSIDE)
        sections = payload.removeprefix(_INSIDE).split(b"\0")
        if len(sections) != 5 or not sections[0].startswith(b"/"):
            return None
        cwd, variables, names, bodies, aliases = sections
        unknown: set[bytes] = set()
        try:
            state = State(
                cwd=cwd.removesuffix(b"\n"),
                variables=dict(_variables(variables, unknown, inside=inside)),
                functions=_functions(names, bodies),
                aliases=_aliases(aliases),
            )
        except ValueError:
            return None
        whole = b" " + _RESTORED + b"=" in variables
        return Report(state, frozenset(unknown), whole=whole)

    def reports(self, name: bytes, variable: Variable) -> bool:
        return IDENTIFIER.match(name) is not None and not _ignored(name, variable.flags)

    def become(self, program: str) -> bytes:
        return b"\\builtin exec " + quote(program.encode())


def _by_environment(name: bytes, variable: Variable) -> bool:
    # Locale variables are set by the shell with its messages off: one that names a locale which is
    # not installed would warn at every start.
    return variable.flags == "x" and not name.startswith(b"LC_")


def _ignored(name: bytes, flags: str) -> bool:
    return (
        _OWN.match(name) is not None
        or name in SECRETS
        or name.startswith(OUR_PREFIX)
        or ("x" not in flags and name in _OWN_UNLESS_EXPORTED)
    )


def _restore(state: State, token: bytes) -> bytes:
    failed = b"exit 1"
    if token:
        failed = b'printf "%%s\\0%s\\0%%s" %s %s >&210; exit 1' % (CD_FAILED, token, token)
    # The functions come last: until then no name of a builtin can mean anything else. (``builtin``
    # itself would make ``declare a=(...)`` a syntax error.)
    lines = [b"cd -- %s || { %s; }" % (quote(state.cwd), failed)]
    old = state.variables.get(b"OLDPWD")
    lines.append(
        b"OLDPWD=" + quote(old.value)
        if old is not None and not old.is_array
        else b"unset -v OLDPWD; export OLDPWD"
    )
    for name, variable in state.variables.items():
        if IDENTIFIER.match(name) and name not in WITHHELD and name not in SECRETS:
            if _by_environment(name, variable) and len(name + variable.value) < LONGEST_STRING:
                continue
            value = variable.value if variable.is_array else quote(variable.value)
            flags = variable.flags.encode() or b"-"
            lines.append(b"declare -%s %s=%s" % (flags, name, value))
    lines.extend(b"alias -- %s=%s" % (name, quote(text)) for name, text in state.aliases.items())
    if state.functions:
        lines.append(b"shopt -s extglob")
        for name, function in state.functions.items():
            lines.append(function.text)
            if function.exported:
                lines.append(b"\\builtin declare -fx " + name)
        lines.append(b"\\builtin shopt -u extglob")
    lines.append(b"\\builtin shopt -s expand_aliases; " + _RESTORED + b"=1")
    return b"\n".join(lines)


def _variables(
    section: bytes, unknown: set[bytes], *, inside: bool
) -> Iterator[tuple[bytes, Variable]]:
    position = 0
    for match in _DECLARE.finditer(section):
        if match.start() != position:
            raise ValueError("a variable that can't be read")
        position = match.end()
        letters, name, text = match.groups()
        flags = letters.decode().replace("-", "")
        if _ignored(name, flags):
            continue
        if inside and "t" not in flags:
            unknown.add(name)
            continue
        if inside:
            flags = flags.replace("t", "")
        if "r" in flags:
            unknown.add(name)
        elif text is not None:
            array = "a" in flags or "A" in flags
            yield name, Variable(text if array else unquote(text), flags)
    if position != len(section):
        raise ValueError("a variable that can't be read")


def _functions(names: bytes, bodies: bytes) -> dict[bytes, Function]:
    listed = [(name, b"x" in flags) for flags, name in _DECLARE_F.findall(names)]
    functions: dict[bytes, Function] = {}
    position = 0
    for index, (name, exported) in enumerate(listed):
        if not bodies.startswith(name + b" () \n", position):
            raise ValueError(f"no definition of function {name!r}")
        end = len(bodies)
        if index + 1 < len(listed):
            end = bodies.find(b"\n" + listed[index + 1][0] + b" () \n", position) + 1
            if end == 0:
                raise ValueError(f"no definition of function {listed[index + 1][0]!r}")
        text = bodies[position:end].removesuffix(b"declare -fx " + name + b"\n")
        functions[name] = Function(text, exported)
        position = end
    return functions


def _aliases(section: bytes) -> dict[bytes, bytes]:
    aliases: dict[bytes, bytes] = {}
    position = 0
    for match in _ALIAS.finditer(section):
        if match.start() != position:
            break
        position = match.end()
        aliases[match.group(1)] = match.group(2).replace(b"'\\''", b"'")
    if position != len(section):
        raise ValueError("an alias that can't be read")
    return aliases
