"""A POSIX sh (dash, busybox ash): carries the working directory and exported variables.

Such a shell can name no descriptor above 9. Report, script and what to restore come as 9, 8 and 7
and are closed for a group: the copies that the shell keeps meanwhile, at the first free numbers
from 10, are close-on-exec, and the group opens them again by path. ``exit`` leaves the group before
it runs the EXIT trap, which therefore finds the report at 9 again (and so do the programs of a trap
that the command set itself). On a signal no trap is run.
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
from shellwire.shell.state import IDENTIFIER, OUR_PREFIX, State, Variable
from shellwire.shell.words import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_REPORT = (
    r'\command printf "%s\0" TOKEN; \command pwd -L; \command printf "\0"; \export -p; '
    r'\command printf "\0%s" TOKEN'
)
# A trap that the shell does not know would end it, but for ``command``.
_QUIET = r'\set +euxvnCf; \command trap "" XFSZ; '
_TEMPLATE = (
    f"{{ trap '{{ {_QUIET}}} 2>/dev/null; case ${{__shellwire_s+x}} in x) ;; "
    f"*) {{ {_REPORT}; }} 2>/dev/null >&9;; esac' EXIT; . /dev/fd/12; . /dev/fd/11; "
    f"{{ __shellwire_s=$?; {_QUIET}}} 2>/dev/null; "
    f'{{ {_REPORT}; }} 2>/dev/null >|/dev/fd/10; \\exit "$__shellwire_s"; }} 9>&- 8<&- 7<&-'
).encode()
_UNREPORTED = b"{ . /dev/fd/11; . /dev/fd/10; exit; } 8<&- 7<&-"

_EXPORT = re.compile(
    rb"export ([A-Za-z_][A-Za-z0-9_]*)"
    rb"(?:=((?:'[^']*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|\\.|[^\s'\"\\])*))?\n",
    re.DOTALL,
)
_OWN = frozenset(
    {b"IFS", b"LINENO", b"OPTIND", b"OPTARG", b"PPID", b"PS1", b"PS2", b"PS4", b"PWD", b"SHLVL"}
)


class Posix(Dialect):
    """A shell of which no more is known than POSIX.1 says."""

    report_fd = 9
    script_fd = 8
    restore_fd = 7

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        failed = b"exit 1"
        if report:
            failed = rb'printf "%%s\0%s\0%%s" %s %s >|/dev/fd/10; __shellwire_s=1; exit 1' % (
                CD_FAILED,
                token,
                token,
            )
        restore = b"cd -- %s 2>/dev/null || { %s; }\n" % (quote(state.cwd), failed)
        old = state.variables.get(b"OLDPWD")
        restore += b"export OLDPWD=" + quote(old.value) if old else b"unset OLDPWD"
        text = _TEMPLATE.replace(b"TOKEN", token) if report else _UNREPORTED
        env = environment(state)
        restore += b"".join(
            b"\nexport %s=%s" % (name, quote(value))
            for name, value in state.environment().items()
            if name not in env and name not in WITHHELD | SECRETS and IDENTIFIER.match(name)
        )
        return Start((self.path.encode(), b"-c", text), env, restore + b"\n")

    def patch(self, have: State, want: State, token: bytes) -> bytes | None:
        return b"" if have is want else None

    def script(self, patch: bytes, text: bytes) -> bytes:
        return patch + text

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        payload = between(report, token)
        if payload == CD_FAILED:
            raise CannotEnter
        return payload

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

    def become(self, program: str, *, interactive: bool) -> bytes:
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
        if text is not None and not _ignored(name):
            yield name, Variable(unquote(text))
    if position != len(section):
        raise ValueError("an export that can't be read")
