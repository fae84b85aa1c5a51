"""PowerShell (powershell.exe and pwsh) as a dialect: it carries cwd and environment.

A command runs as a script file. Another script calls it, and reports when the call has returned,
also after ``exit`` or an uncaught error. The exit code is that of ``exit`` or of the last program
that ran; after an uncaught error it is 1.
"""

from __future__ import annotations

import ntpath
from typing import TYPE_CHECKING

from shellwire.shell.cmd import folded, ignored
from shellwire.shell.dialect import FileDialect, Report, Start, between, environment
from shellwire.shell.state import State, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without this mark Windows PowerShell reads a script in the system's code page.
_BOM = b"\xef\xbb\xbf"

_TEXT = """$utf8 = New-Object Text.UTF8Encoding $false
try { [Console]::InputEncoding = [Console]::OutputEncoding = $utf8 } catch { }
$OutputEncoding = $utf8
$global:LASTEXITCODE = 0
try {
  & "$PSScriptRoot/command.ps1"
  $code = $global:LASTEXITCODE
} catch {
  [Console]::Error.WriteLine(($_ | Out-String).TrimEnd())
  $code = 1
}
{report}exit $code
"""
_REPORT = """$said = New-Object Text.StringBuilder
[void]$said.Append("{token}`0" + (Get-Location -PSProvider FileSystem).ProviderPath + "`0")
foreach ($each in [Environment]::GetEnvironmentVariables().GetEnumerator()) {
  [void]$said.Append($each.Key + "=" + $each.Value + "`0")
}
[void]$said.Append("{token}")
[IO.File]::WriteAllText("$PSScriptRoot/report", $said.ToString(), $utf8)
"""


class PowerShell(FileDialect):
    """powershell.exe or pwsh."""

    probe = b"$env:SHELLWIRE_PROBE = 'it''s'\nexit 3"
    text_file = "shell.ps1"
    command_file = "command.ps1"

    def command_line(self, path: str) -> list[str]:
        options = ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass"]
        return [self.path, *options, "-File", path]

    def start(self, state: State, token: bytes, *, report: bool) -> Start:
        reporting = _REPORT.replace("{token}", token.decode()) if report else ""
        text = _TEXT.replace("{report}", reporting)
        return Start((), folded(environment(state)), _BOM + text.encode())

    def script(self, patch: bytes, text: bytes) -> bytes:
        return _BOM + text + b"\n"

    def payload(self, report: bytes, token: bytes) -> bytes | None:
        return between(report, token)

    def parse(self, payload: bytes) -> Report | None:
        cwd, _, entries = payload.partition(b"\0")
        return Report(State(cwd, dict(_variables(entries)))) if ntpath.isabs(cwd) else None

    def reports(self, name: bytes, variable: Variable) -> bool:
        return variable.exported and not ignored(name)

    def exec_program(self, program: str, *, interactive: bool) -> bytes:
        quoted = program.replace("'", "''")
        return f"& '{quoted}'".encode()


def _variables(entries: bytes) -> Iterator[tuple[bytes, Variable]]:
    for entry in entries.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals and not ignored(name.upper()):
            yield name.upper(), Variable(value)
