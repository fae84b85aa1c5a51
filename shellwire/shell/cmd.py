"""cmd.exe as a dialect: it carries the working directory and the environment.

A command runs as a batch file. Another batch file calls it, and reports when the call has
returned. ``exit /b`` returns; ``exit`` and a syntax error end the shell at once, without a report.
Both files are UTF-8, and the console's code page is set to it. A separate cmd.exe writes the
report; its ``/u`` makes the report UTF-16, so that no code page can lose a character.
"""

from __future__ import annotations

import ntpath
from typing import TYPE_CHECKING

from shellwire.shell.dialect import SECRETS, FileDialect, Report, Start, environment
from shellwire.shell.state import OUR_PREFIX, State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = """@echo off
chcp 65001 >nul
call "%~dp0command.cmd"
@set "__SHELLWIRE_S=%errorlevel%"
{report}@exit %__SHELLWIRE_S%
"""
_REPORT = '@"{path}" /u /d /q /c "echo {token}&cd&set&echo {token}" >"%~dp0report"\n'

# cmd.exe sets these itself if they are missing.
_OWN = frozenset({b"PROMPT"})


class Cmd(FileDialect):
    """The command interpreter of Windows."""

    probe = b"set SHELLWIRE_PROBE=it's\nexit /b 3"
    text_file = "shell.cmd"
    command_file = "command.cmd"

    def command_line(self, path: str) -> str:
        # With /s cmd.exe removes only the first and the last quote.
        return f'"{self.path}" /d /q /s /c ""{path}""'

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        reporting = _REPORT.format(path=self.path, token=token.decode()) if report else ""
        text = _TEXT.format(report=reporting)
        return Start((), folded(environment(state)), _crlf(text.encode()))

    def script(self, patch: bytes, text: bytes) -> bytes:
        return _crlf(text) + b"\r\n"

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        text = report.decode("utf-16-le", "replace").encode("utf-8", "surrogatepass")
        first, _, rest = text.partition(b"\r\n")
        between, _, last = rest.rstrip().rpartition(b"\r\n")
        # echo may append the blank before the next word.
        return between if first.rstrip() == last == token else None

    def parse(self, payload: bytes) -> Report | None:
        cwd, *lines = payload.split(b"\r\n")
        return Report(State(cwd, dict(_variables(lines)))) if ntpath.isabs(cwd) else None

    def reports(self, name: bytes, variable: Variable) -> bool:
        return variable.exported and not ignored(name)

    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        return f'"{program}"'.encode()


def folded(env: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Return ``env`` with upper-case names: Windows ignores their case."""
    return {name.upper(): value for name, value in env.items()}


def ignored(name: bytes) -> bool:
    """Whether a variable (name in upper case) is the shell's or ours, and so in no state."""
    return not name or name in _OWN | SECRETS or name.startswith(OUR_PREFIX.upper())


def _variables(lines: list[bytes]) -> Iterator[tuple[bytes, Variable]]:
    name, value = b"", b""
    for line in lines:
        before, equals, after = line.partition(b"=")
        if equals:
            if not ignored(name):
                yield name, Variable(value)
            name, value = before.upper(), after
        else:
            # A value with a line break; only a program can have set it.
            value += b"\r\n" + line
    if not ignored(name):
        yield name, Variable(value)


def _crlf(text: bytes) -> bytes:
    # cmd.exe finds labels only in files with CRLF line ends.
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
