"""A command behaves as with ``bash -c``: our text around it has no visible effect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shellwire.shell.state import Function, State
from tests.shell.shells import TOKEN, left, run, run_plainly

if TYPE_CHECKING:
    from shellwire.shell.bash import Bash

# The file has one command per line; these need several lines.
COMMANDS = (Path(__file__).parent / "like_bash_c.txt").read_text().splitlines()
COMMANDS += [
    "",
    "  ",
    "# only\n",
    "\n\nnosuch",
    "true\n\nset -u\necho $nope\necho no",
    "\nreturn 3\necho after $?",
    "f() {\n  echo $LINENO\n  nosuch\n}\nf\necho $LINENO",
    "cat <<EOF\n$((1 + 1))\nunterminated",
    "trap 'echo E:$LINENO' ERR\n\nfalse",
    "echo one\\\n two",
    "set -v\necho hi",
]


def _levelled(trace: bytes) -> bytes:
    # ``eval`` adds a level to the trace of ``set -x`` (bash(1), PS4).
    return re.sub(rb"^\+\+", b"+", trace, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_behaves_the_same(bash: Bash, birth: State, command: str) -> None:
    ours = run(bash, birth, command.encode())
    plain = run_plainly(bash.path, birth, command.encode())
    assert (ours.status, ours.out, _levelled(ours.err)) == (
        plain.status,
        plain.out,
        _levelled(plain.err),
    )


@pytest.mark.parametrize(
    "command", ["if", "echo a\nif then", "echo 'open", ")", "echo $(", ";", "&", "x=(1 2", "${"]
)
def test_a_syntax_error_names_the_same_line(bash: Bash, birth: State, command: str) -> None:
    ours = run(bash, birth, command.encode())
    plain = run_plainly(bash.path, birth, command.encode())
    assert ours.status in (1, 2)
    assert ours.err == plain.err.replace(b"-c:", b"eval:")
    assert left(bash, ours) is not None


def test_a_command_may_begin_with_a_dash(bash: Bash, birth: State) -> None:
    ended = run(bash, birth, b"-x")
    assert (ended.status, ended.err) == (127, b"bash: line 1: -x: command not found\n")


@pytest.mark.parametrize(
    "command",
    [
        "exit 3", "set -e; false", "set -u; echo $nope", "kill -TERM $$", "kill -INT $$", "if",
        "f() { exit 3; }; f", "set -r; cd /", "set -o posix; exit 3", "set -C; set -a", "set -f",
        "exec 0<&- 1>&- 2>&-; exit 3", "ulimit -n 20; exit 3", "IFS=01; false", "unset PATH",
        "trap 'echo D' DEBUG; exit 3", "trap 'echo E' ERR; set -e; false", "set -x; exit 3",
        "trap 'echo X' EXIT; false", "trap 'echo C' CHLD; true & wait", "exec nosuch", "set -v",
        "alias exit=: do=: in=: printf=: builtin=: '{=:'; shopt -u expand_aliases\nexit 3",
        "alias do=false in=false then=false; f() { exit 3; }; \nf",
        "cd() { :; }; pwd() { :; }; declare() { :; }; export() { :; }; printf() { :; }; exit 3",
        "eval() { :; }; exec() { :; }; trap() { :; }; set() { :; }; shopt() { :; }; unset() { :; }",
        "IFS=_; f() { local IFS=s; exit 1; }; f", "shopt -s localvar_unset; f() { exit 3; }; f",
        "shopt -s failglob nullglob nocasematch xpg_echo; f() { exit 3; }; f", "set -P; cd /",
        "POSIXLY_CORRECT=1; exit 3", "exec 3>&- 8>&- 9>&- 10>&- 11>&-; exit 3",
    ],
)  # fmt: skip
def test_every_kind_of_end_is_reported(bash: Bash, birth: State, command: str) -> None:
    start = State(birth.cwd, birth.variables, {b"old": Function(b"old () \n{ \n    :\n}\n")})
    ended = run(bash, start, b"kept=1 two='2 3'; new() { :; }\n" + command.encode())
    report = left(bash, ended)
    assert report is not None, ended
    assert report.whole
    assert report.state.variables[b"kept"].value == b"1"
    assert report.state.variables[b"two"].value == b"2 3"
    assert {b"old", b"new"} <= report.state.functions.keys()


@pytest.mark.parametrize(
    "command",
    [
        "exec true",
        "kill -9 $$",
        "set -n",
        "builtin() { :; }",
        "enable -n printf",
        "ulimit -f 0",
        "trap 'echo X' EXIT; exit 3",
    ],
)
def test_a_missing_report_is_not_invented(bash: Bash, birth: State, command: str) -> None:
    assert left(bash, run(bash, birth, command.encode())) is None


def test_a_forged_report_is_ignored(bash: Bash, birth: State) -> None:
    ended = run(bash, birth, b"printf '0\\0/\\n\\0\\0\\0\\0\\0000' >&210; printf x >&210; cd /usr")
    report = left(bash, ended)
    assert report is not None
    assert report.state.cwd == b"/usr"
    assert ended.report.count(TOKEN) == 2
