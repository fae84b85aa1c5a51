"""Attributes are state even without a value: ``declare -A m``, ``export X``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shellwire.shell.state import State, Variable, apply, difference
from tests.shell.shells import after

if TYPE_CHECKING:
    from shellwire.shell.bash import Bash
    from tests.live import Client

# By the flags of the first command's declare: the next command, and its output.
DECLARED = {
    "-A": ("m[foo]=1; m[bar]=2; echo ${#m[@]} ${m[foo]} ${m[bar]}", "2 1 2"),
    "-a": ("m[3]=x; declare -p m", 'declare -a m=([3]="x")'),
    "-i": ("m=2+3; echo $m", "5"),
    "-u": ("m=abc; echo $m", "ABC"),
    "-l": ("m=ABC; echo $m", "abc"),
    "-c": ("m=abc; echo $m", "Abc"),
    "-n": ("m=target; target=1; m=2; echo $target", "2"),
    "-x": ("m=5; env | grep ^m=", "m=5"),
    "-Ax": ("m[a]=1; declare -p m", 'declare -Ax m=([a]="1" )'),
    "-au": ("m+=(x y); echo ${m[@]}", "X Y"),
    "-ix": ("m=1+1; env | grep ^m=", "m=2"),
    "-Ai": ("m[k]=1; m[k]+=1; echo ${m[k]}", "2"),
    "-t": ("declare -p m", "declare -t m"),
}


@pytest.mark.parametrize("flags", DECLARED)
async def test_a_declaration_without_a_value_is_kept(client: Client, flags: str) -> None:
    command, printed = DECLARED[flags]
    assert (await client.run(f"declare {flags} m")).last["committed"]
    # The second command must report the attribute as it was restored.
    assert (await client.run("[[ -v m ]] || echo unset")).out == "unset\n"
    assert (await client.run(command)).out == printed + "\n"
    assert (await client.run("unset -n m; unset -v m; declare -p m")).code == 1
    assert (await client.run("declare -p m")).code == 1


async def test_export_without_a_value(any_client: Client) -> None:
    assert (await any_client.run("export X")).last["committed"]
    state = await any_client.ask({"type": "get_context"})
    assert "X" not in state["env"]
    assert (await any_client.run("echo ${X-none}; X=5; env | grep ^X=")).out == "none\nX=5\n"
    assert (await any_client.run("echo $X")).out == "5\n"


async def test_a_pooled_shell_gets_attributes(client: Client) -> None:
    """The shell that runs the second command was started before the declaration."""
    for number in range(20):
        await client.run(f"export X{number}")
        ran = await client.run(f"X{number}=v; env | grep ^X{number}=; unset X{number}")
        assert ran.out == f"X{number}=v\n"


@pytest.mark.parametrize("end", ["exit 3", "f() { local -A m; local -i k; exit 3; }; f"])
async def test_exit_in_a_function_keeps_declarations(client: Client, end: str) -> None:
    await client.run("declare -A m; export X")
    assert (await client.run(f"A=1; {end}")).last["committed"]
    ran = await client.run("m[a]=1; m[b]=2; X=3; echo $A ${#m[@]}; env | grep ^X=")
    assert ran.out == "1 2\nX=3\n"


def test_a_report_distinguishes_attributes(bash: Bash, birth: State) -> None:
    state = after(bash, birth, b"declare -A m; declare -i i; export x; declare plain; OLDPWD=")
    assert {name: state.variables.get(name) for name in (b"m", b"i", b"x", b"plain")} == {
        b"m": Variable(None, "A"),
        b"i": Variable(None, "i"),
        b"x": Variable(None, "x"),
        b"plain": None,  # without value and attribute there is no variable
    }
    assert after(bash, state, b":") == state
    change = difference(birth, state, visible=lambda *_: True)
    assert apply(birth, change).environment().keys() == birth.environment().keys() | {b"OLDPWD"}
