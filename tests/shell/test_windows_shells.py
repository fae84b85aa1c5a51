"""The text for cmd.exe and PowerShell, and parsing their reports; no such shell is run.

The report of cmd.exe has the format that Wine's cmd.exe writes; that of PowerShell has the format
of our script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell.cmd import Cmd
from shellwire.shell.context import Commit, Context
from shellwire.shell.powershell import PowerShell
from shellwire.shell.state import State, Variable

if TYPE_CHECKING:
    from shellwire.shell.dialect import FileDialect

TOKEN = b"0123456789abcdef"
CMD = Cmd(r"C:\Windows\System32\cmd.exe")
POWERSHELL = PowerShell(r"C:\Program Files\PowerShell\7\pwsh.exe")
BIRTH = State(
    rb"C:\Users\ann",
    {b"PATH": Variable(rb"C:\Windows"), b"SystemRoot": Variable(rb"C:\Windows")},
)

CMD_REPORT = (
    "0123456789abcdef\r\n"
    "D:\\ü → x\r\n"
    "__SHELLWIRE_S=0\r\n"
    "FOO=a = b\r\n"
    "Path=C:\\Windows;C:\\x\r\n"
    "ProgramFiles(x86)=C:\\Program Files (x86)\r\n"
    "PROMPT=$P$G\r\n"
    "SHELLWIRE_JOB=1.2\r\n"
    "TWO=one\r\n"
    "line\r\n"
    "0123456789abcdef\r\n"
).encode("utf-16-le")
POWERSHELL_REPORT = (
    "0123456789abcdef\0D:\\ü → x\0FOO=a = b\0Path=C:\\Windows;C:\\x\0"
    "ProgramFiles(x86)=C:\\Program Files (x86)\0SHELLWIRE_JOB=1.2\0TWO=one\r\nline\0"
    "0123456789abcdef"
).encode()
LEFT = State(
    "D:\\ü → x".encode(),
    {
        b"FOO": Variable(b"a = b"),
        b"PATH": Variable(rb"C:\Windows;C:\x"),
        b"PROGRAMFILES(X86)": Variable(rb"C:\Program Files (x86)"),
        b"TWO": Variable(b"one\r\nline"),
    },
)


@pytest.mark.parametrize(
    ("dialect", "report"), [(CMD, CMD_REPORT), (POWERSHELL, POWERSHELL_REPORT)]
)
def test_a_report(dialect: FileDialect, report: bytes) -> None:
    payload = dialect.payload(report, TOKEN)
    assert payload is not None
    parsed = dialect.parse(payload)
    assert parsed is not None
    assert (parsed.state, parsed.whole) == (LEFT, True)


@pytest.mark.parametrize(
    ("dialect", "report"), [(CMD, CMD_REPORT), (POWERSHELL, POWERSHELL_REPORT)]
)
def test_a_truncated_report_is_invalid(dialect: FileDialect, report: bytes) -> None:
    for end in range(0, len(report) - 5, 7):
        assert dialect.payload(report[:end], TOKEN) is None
    assert dialect.payload(report, b"another") is None


def test_the_blank_after_echo() -> None:
    blank = CMD_REPORT.replace("f\r\n".encode("utf-16-le"), "f \r\n".encode("utf-16-le"))
    assert CMD.payload(blank, TOKEN) == CMD.payload(CMD_REPORT, TOKEN)


@pytest.mark.parametrize("dialect", [CMD, POWERSHELL])
@given(st.binary(max_size=200))
def test_an_invalid_payload_is_no_state(dialect: FileDialect, rubbish: bytes) -> None:
    assert dialect.payload(rubbish, TOKEN) is None
    parsed = dialect.parse(rubbish)
    # A directory has a drive or is on the network.
    assert (
        parsed is None
        or parsed.state.cwd[1:3] in (b":\\", b":/")
        or parsed.state.cwd[:1]
        in (
            b"\\",
            b"/",
        )
    )


@pytest.mark.parametrize(
    ("dialect", "report"), [(CMD, CMD_REPORT), (POWERSHELL, POWERSHELL_REPORT)]
)
def test_a_command_changes_its_context(dialect: FileDialect, report: bytes) -> None:
    context = Context(BIRTH)
    context.state = State(BIRTH.cwd, {**BIRTH.variables, b"Gone": Variable(b"1")})
    origin, _ = context.make_origin(cwd=rb"C:\x", env={}, terminal=False)
    assert context.commit(origin, dialect, report, TOKEN, b"1.2") == Commit(committed=True)
    assert context.state == LEFT


@pytest.mark.parametrize("dialect", [CMD, POWERSHELL])
def test_variable_names_ignore_case(dialect: FileDialect) -> None:
    state = State(b"C:\\", {b"Path": Variable(b"old"), b"PATH": Variable(b"new")})
    assert dialect.start(state, TOKEN, report=True).env == {b"PATH": b"new"}


def test_the_text_for_cmd() -> None:
    text = CMD.start(BIRTH, TOKEN, report=True).restore.decode()
    assert text.splitlines(keepends=True) == [
        "@echo off\r\n",
        "chcp 65001 >nul\r\n",
        'call "%~dp0command.cmd"\r\n',
        '@set "__SHELLWIRE_S=%errorlevel%"\r\n',
        r'@"C:\Windows\System32\cmd.exe" /u /d /q /c "echo 0123456789abcdef&cd&set'
        '&echo 0123456789abcdef" >"%~dp0report"\r\n',
        "@exit %__SHELLWIRE_S%\r\n",
    ]
    assert "report" not in CMD.start(BIRTH, TOKEN, report=False).restore.decode()
    assert CMD.script(b"", b"a\nb\r\nc") == b"a\r\nb\r\nc\r\n"
    line = CMD.command_line(r"C:\Temp & co\shell.cmd")
    assert line == r'"C:\Windows\System32\cmd.exe" /d /q /s /c ""C:\Temp & co\shell.cmd""'
    assert CMD.exec_program(r"C:\a b\x.exe", interactive=False) == rb'"C:\a b\x.exe"'


def test_the_text_for_powershell() -> None:
    text = POWERSHELL.start(BIRTH, TOKEN, report=True).restore
    # The mark makes Windows PowerShell read the file as UTF-8.
    assert text.startswith(b"\xef\xbb\xbf$utf8")
    assert b'& "$PSScriptRoot/command.ps1"' in text
    assert text.count(TOKEN) == 2
    assert text.endswith(b"exit $code\n")
    assert text.count(b"{") == text.count(b"}")
    assert TOKEN not in POWERSHELL.start(BIRTH, TOKEN, report=False).restore
    assert POWERSHELL.script(b"", b"a") == b"\xef\xbb\xbfa\n"
    line = POWERSHELL.command_line(r"C:\t\shell.ps1")
    assert line[0] == POWERSHELL.path
    assert line[-2:] == ["-File", r"C:\t\shell.ps1"]
    assert POWERSHELL.exec_program("C:\\it's.exe", interactive=False) == b"& 'C:\\it''s.exe'"


@pytest.mark.parametrize("dialect", [CMD, POWERSHELL])
def test_no_pooled_shell_and_no_rewriting(dialect: FileDialect) -> None:
    assert dialect.patch(BIRTH, BIRTH, TOKEN) is None
    assert not dialect.is_posix
