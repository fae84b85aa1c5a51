"""A function is kept only if a shell reads its printed form back as the same function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from shellwire.process.reap import Reaper
from shellwire.shell.readback import ReadBack
from shellwire.shell.state import Function, State
from tests.shell.shells import after, left, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shellwire.shell.bash import Bash
    from tests.live import Client

# Functions that bash 5.2 prints incorrectly; later versions may do better.
MISPRINTED = [
    "coproc cat",
    "x() { coproc cat; }",
    "time coproc cat",
    "while echo \\&; do :; done",
    "if test $1 = \\&; then :; fi",
    "case $1 in (esac) echo;; esac",
    "a && cat <<E || b\nx\nE",
    "cat <<E | cat <<F && cat\na\nE\nb\nF",
]
WELL_PRINTED = [
    "coproc X { cat; }",
    "coproc while read -r x; do echo $x; done",
    "time -p sleep 0; ! time a | b",
    "select x in a b; do break; done",
    "for ((;;)); do break; done; for ((i = 0; i < 2; i++)) { echo; }",
    "cat <(echo a) >(cat) < <(ls) 3< <(ls)",
    "cat <<E | b\na\nE",
    "cat <<E &\na\nE",
    "{ a; } <<E &\nx\nE",
    "while cat <<E; do :; done\na\nE",
    "case a in @(a|b)*) c ;& +([0-9])) ;; !(x)) ;;& esac",
    "g-h() { :; } >/dev/null 2>&1; function k.l () ( : )",
    "[[ a =~ ^(x|y)$ && ! -f x || ( b < c ) ]]",
    "exec {fd}>x; ls &>x &>>y 2>&1- <>q >|w",
]


async def unreadable(
    bash: Bash, state: State, functions: Mapping[bytes, Function]
) -> frozenset[bytes]:
    read_back = ReadBack(bash, Reaper(), lambda: b"readback.test")
    return await read_back.unreadable(state, functions)


def _functions(bash: Bash, birth: State, *bodies: str) -> dict[bytes, Function]:
    text = "\n".join(f"f{number}() {{\n{body}\n}}" for number, body in enumerate(bodies))
    return dict(after(bash, birth, f"shopt -s extglob\n{text}".encode()).functions)


@pytest.mark.parametrize("body", MISPRINTED + WELL_PRINTED)
async def test_kept_functions_are_as_defined(bash: Bash, birth: State, body: str) -> None:
    functions = _functions(bash, birth, body)
    broken = await unreadable(bash, birth, functions)
    # The shell prints each function that it has restored again, unless the function was refused.
    report = left(bash, run(bash, State(birth.cwd, birth.variables, functions), b":"))
    same = report is not None and report.whole and report.state.functions == functions
    assert (b"f0" in broken) == (not same)
    if body in WELL_PRINTED:
        assert not broken


async def test_a_broken_function_does_not_affect_others(bash: Bash, birth: State) -> None:
    functions = _functions(bash, birth, ":", "echo ok", "if true; then :; fi", "b", "c")
    functions[b"f1"] = Function(b"f1 () \n{ \n    while a \\& do\n b\n done\n}\n")
    functions[b"f3"] = Function(b"f3 () \n{ \n    a 'unterminated\n}\n")
    assert await unreadable(bash, birth, functions) == {b"f1", b"f3"}


async def test_commands_in_a_broken_function_do_not_block_us(
    bash: Bash, birth: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shellwire.shell.readback.TIMEOUT", 0.2)
    functions = {b"f": Function(b"f () \n{ \n    :\n}\nread -r x; kill -STOP $$\n")}
    assert await unreadable(bash, birth, functions) == {b"f"}
    assert await unreadable(bash, birth, {b"f": Function(b"}\n")}) == {b"f"}


async def test_a_notice_names_the_broken_functions(client: Client) -> None:
    await client.run("f() { echo old; }; kept=0")
    ended = await client.run("f() { case $1 in (esac) echo;; esac; }; g() { echo g; }; kept=1")
    assert ended.last["committed"]
    (notice,) = ended.of_type("notice")
    assert notice["code"] == "STATE_NOT_KEPT"
    assert notice["message"].endswith(" f")
    # Neither the broken function nor its earlier definition exists.
    after = await client.run("type -t f; g; echo $kept")
    assert (after.out, after.err, after.of_type("notice")) == ("g\n1\n", "", [])


async def test_many_that_hang_take_no_longer_than_one(
    bash: Bash, birth: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shellwire.shell.readback.TIMEOUT", 1.0)
    begun = time.monotonic()
    hanging = {
        name: Function(name + b" () \n{ \n    :\n}\nread -r x; kill -STOP $$\n")
        for name in (b"f", b"g", b"h", b"i", b"j")
    }
    assert await unreadable(bash, birth, hanging) == set(hanging)
    assert time.monotonic() - begun < 4
