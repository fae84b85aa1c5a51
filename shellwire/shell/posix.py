"""A POSIX sh (dash, busybox ash) as a dialect: it carries cwd and exported variables.

Such a shell can't mark a descriptor close-on-exec, and busybox may run its own programs without
exec(3). So it has none of our descriptors open while the command runs:

- The restore text and the script are descriptors 7 and 8, which are read to the end and closed. The
  script assigns the command's text to a variable, and the shell passes that to ``eval``.
- The report goes to a file of the daemon, which the shell opens by its path, after the command or
  in an EXIT trap. On a signal no trap runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shellwire.shell.dialect import (
    CD_FAILED,
    SECRETS,
    WITHHELD,
    CannotEnter,
    Dialect,
    Report,
    Start,
    between,
    environment,
)
from shellwire.shell.quoting import quote, unquote
from shellwire.shell.state import IDENTIFIER, OUR_PREFIX, State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPORT = (
    r'\command printf "%s\0" TOKEN; \command pwd -L; \command printf "\0"; \export -p; '
    r'\command printf "\0%s" TOKEN'
)
# If the file can't be written (``ulimit -f``), the shell says so through a pipe.
_TELL = (
    f'{{ {{ {_REPORT}; }} >|"$__shellwire_f" '
    '|| \\command printf x >|"$__shellwire_l"; } 2>/dev/null'
)
# The end of the main line. Listing all traps is the only way to see the EXIT trap; it comes first.
_TELL_LAST = (
    f'{{ {{ \\command trap; {_REPORT}; }} >|"$__shellwire_f" '
    r'&& \command printf "%s %s\n" TOKEN "$__shellwire_s" >|"$__shellwire_l" '
    '|| \\command printf x >|"$__shellwire_l"; } 2>/dev/null'
)
# An unknown signal name in trap would end the shell, if not for ``command``.
_QUIET = r'\set +euxvnCf; \command trap "" XFSZ; '
_RUN = '. /dev/fd/7; . /dev/fd/8; exec 7<&- 8<&-; eval "$__shellwire_c"'
_TRAP = f"{{ {_QUIET}}} 2>/dev/null; case ${{__shellwire_s+x}} in x) ;; *) {_TELL};; esac"
_TEMPLATE = (
    f"trap '{_TRAP}' EXIT; {_RUN}; {{ __shellwire_s=$?; {_QUIET}}} 2>/dev/null; "
    f'{_TELL_LAST}; \\exit "$__shellwire_s"'
).encode()
_OUR_TRAP = f"trap -- '{_TRAP}' EXIT\n".encode()
_UNREPORTED = _RUN.encode() + b"; exit"

_EXPORT = re.compile(
    rb"export ([A-Za-z_][A-Za-z0-9_]*)"
    rb"(?:=((?:'[^']*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|\\.|[^\s'\"\\])*))?\n",
    re.DOTALL,
)
_OWN = (
    frozenset({b"IFS", b"LINENO", b"OPTIND", b"OPTARG", b"PPID", b"PS1", b"PS2", b"PS4"}) | WITHHELD
) - {b"OLDPWD"}


class Posix(Dialect):
    """A shell used with the features of POSIX.1 only."""

    script_fd = 8
    restore_fd = 7

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        failed = b"exit 1"
        if report:
            failed = rb'printf "%%s\0%s\0%%s" %s %s >|"$__shellwire_f"; __shellwire_s=1; exit 1' % (
                CD_FAILED,
                token,
                token,
            )
        restore = b"cd -- %s 2>/dev/null || { %s; }\n" % (quote(state.cwd), failed)
        old = state.variables.get(b"OLDPWD")
        if old is not None and old.value is not None:
            restore += b"export OLDPWD=" + quote(old.value)
        else:
            restore += b"unset OLDPWD"
        text = _TEMPLATE.replace(b"TOKEN", token) if report else _UNREPORTED
        env = environment(state)
        for name, variable in state.variables.items():
            if (
                name not in env
                and name not in WITHHELD | SECRETS
                and variable.exported
                and IDENTIFIER.match(name)
            ):
                restore += b"\nexport " + name
                if variable.value is not None:
                    restore += b"=" + quote(variable.value)
        return Start((self.path.encode(), b"-c", text), env, restore + b"\n")

    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        return b"" if have is want else None

    def script(self, patch: bytes, text: bytes) -> bytes:
        # The variable is unset before the command could see it.
        return b"__shellwire_c=" + quote(b"unset -v __shellwire_c; " + text) + b"\n"

    def report_paths(self, report: bytes, lost: bytes) -> bytes:
        return b"__shellwire_f=%s __shellwire_l=%s\n" % (quote(report), quote(lost))

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        payload = between(report, token)
        if payload == CD_FAILED:
            raise CannotEnter
        return payload

    def is_final(self, report: bytes, token: bytes) -> bool:
        trap = _OUR_TRAP.replace(b"TOKEN", token)
        return report.startswith(trap) and report.endswith(b"\0" + token)

    def parse(self, payload: bytes) -> Report | None:
        cwd, _, exports = payload.partition(b"\0")
        if not cwd.startswith(b"/"):
            return None
        try:
            variables = dict(_variables(exports))
        except ValueError:
            return None
        return Report(State(cwd.removesuffix(b"\n"), variables))

    def reports(self, name: bytes, variable: Variable) -> bool:
        return variable.exported and IDENTIFIER.match(name) is not None and not _ignored(name)

    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        return b"exec " + quote(program.encode())


def _ignored(name: bytes) -> bool:
    return name in _OWN or name in SECRETS or name.startswith(OUR_PREFIX)


def _variables(section: bytes) -> Iterator[tuple[bytes, Variable]]:
    position = 0
    for match in _EXPORT.finditer(section):
        if match.start() != position:
            break
        position = match.end()
        name, text = match.groups()
        if not _ignored(name) and (text is not None or name != b"OLDPWD"):
            yield name, Variable(None if text is None else unquote(text))
    if position != len(section):
        raise ValueError("an export that can't be read")
