"""Commands that end early, and could show our own text or lose the state silently."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.shell.shells import left, run, run_plainly

if TYPE_CHECKING:
    from shellwire.shell.bash import Bash
    from shellwire.shell.state import State
    from tests.live import Client

RESERVED = [
    *("{", "}", "!", "[[", "]]", "case", "in", "esac", "do", "done", "elif", "else", "fi"),
    *("for", "function", "if", "select", "then", "time", "until", "while", "coproc"),
]


@pytest.mark.parametrize("word", ["case", "{", "}", "exit", "trap", "builtin", "eval"])
@pytest.mark.parametrize("end", ["true", "exit 3", "set -e; false", "f() { exit 4; }\nf"])
async def test_an_alias_may_be_a_reserved_word(client: Client, word: str, end: str) -> None:
    assert (await client.run(f"alias '{word}=x'")).last["committed"]
    # A quoted word in the command is not the alias.
    end = end if word not in ("{", "}", "exit") else f"unalias '{word}'\n{end}\nalias '{word}=x'"
    ended = await client.run(f"export A=1\n{end}")
    assert (ended.out, ended.err, ended.last["committed"]) == ("", "", True)
    assert (await client.run("echo $A; alias; export B=2")).out.splitlines()[0] == "1"
    assert (await client.run("echo $B")).out == "2\n"


@pytest.mark.parametrize("end", ["exit 3", "set -x; exit 3", "set -eu; false", "kill -TERM $$"])
def test_all_reserved_words_as_aliases_at_once(bash: Bash, birth: State, end: str) -> None:
    command = "\n".join([*(f"\\alias -- '{word}=x'" for word in RESERVED), "kept=1", end])
    ended = run(bash, birth, f"shopt -s expand_aliases\n{command}".encode())
    report = left(bash, ended)
    assert report is not None, ended
    assert report.state.variables[b"kept"].value == b"1"
    assert report.state.aliases.keys() == {word.encode() for word in RESERVED}
    assert b"shellwire" not in ended.err


async def test_such_an_alias_is_kept(client: Client) -> None:
    await client.run("alias time='echo timed' '{=echo brace'")
    assert (await client.run("time x\n{ y")).out == "timed x\nbrace y\n"
    # Pooled shells get changes as text of ours.
    for number in range(10):
        assert (await client.run(f"echo $N; export N={number}")).err == ""
    assert (await client.run("echo $N")).out == "9\n"


VERBOSE = ["set -v", "set -o verbose", "set -euv", "set -xv", "shopt -so verbose", "set -v -e"]
VERBOSE += ["o=-v; set $o", 'o=-eu; p=-v; set $o "$p"']


@pytest.mark.parametrize("on", VERBOSE)
@pytest.mark.parametrize("end", ["exit 3", "false\nexit", "f() { exit 3; }\nf", "(exit 3)", ""])
def test_set_v_shows_what_bash_shows(bash: Bash, birth: State, on: str, end: str) -> None:
    command = f"{on}; kept=1\n{end}".encode()
    ours = run(bash, birth, command)
    plain = run_plainly(bash.path, birth, command)
    assert ours.status == plain.status
    if "x" not in on:  # ``eval`` adds a level to what is traced
        assert (ours.out, ours.err) == (plain.out, plain.err)
    assert b"shellwire" not in ours.err
    assert b"builtin" not in ours.err
    report = left(bash, ours)
    if report is not None:
        assert report.state.variables[b"kept"].value == b"1"
        assert b"exit" not in report.state.functions
    else:
        # A failure under ``set -e``: the shell reports that no state is kept.
        assert "e" in on.replace("verbose", "")
        assert ours.report.endswith(b"\0unreported")


async def test_set_v_and_exit_commit(any_client: Client) -> None:
    ended = await any_client.run("set -v; export A=1; exit 3")
    assert (ended.code, ended.err, ended.last["committed"]) == (3, "", True)
    assert (await any_client.run("echo $A; type exit")).out.splitlines()[0] == "1"


async def test_a_users_trap_runs_before_ours_under_set_v(client: Client) -> None:
    ended = await client.run("A=1; trap 'echo bye' EXIT; set -v; exit 3")
    assert (ended.code, ended.out, ended.err) == (3, "bye\n", "echo bye\n")
    session = await client.session(command="set -v; echo over; exit 3")
    seen = await client.until("session_ended", id=session)
    assert "".join(m["data"] for m in seen if m["type"] == "output") == "over\n"
    assert seen[-1]["exit_code"] == 3


@pytest.mark.parametrize(
    ("limit", "end"), [*itertools.product(["0", "1"], ["true", "exit 3", "set -e; false"])]
)
async def test_a_file_size_limit_is_reported(any_client: Client, limit: str, end: str) -> None:
    await any_client.run("export A=old")
    ended = await any_client.run(f"ulimit -f {limit}; export A=new B=$(printf %02000d 1); {end}")
    assert (ended.last["reason"], ended.last["committed"]) == ("exited", False)
    assert [notice["code"] for notice in ended.of_type("notice")] == ["STATE_NOT_KEPT"]
    assert "ulimit -f" in ended.of_type("notice")[0]["message"]
    assert ended.err == ""
    assert (await any_client.run("echo $A; export A=next")).out == "old\n"
    assert (await any_client.run("echo $A")).out == "next\n"
