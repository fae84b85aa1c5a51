"""A POSIX sh reports its directory and exported variables, every byte of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell.posix import Posix
from shellwire.shell.quoting import quote
from shellwire.shell.state import State, Variable
from tests.shell.shells import POSIX_SHELLS, after, left, run
from tests.shell.strategies import names, values, with_shells

if TYPE_CHECKING:
    from collections.abc import Callable

    Shells = Callable[[str], Posix]

SHELLS = pytest.mark.parametrize("name", POSIX_SHELLS)


@pytest.fixture(scope="session")
def posix(shell_path: Callable[[str], str]) -> Shells:
    return lambda name: Posix(shell_path(name))


@SHELLS
@with_shells
@given(variables=st.dictionaries(names, values, max_size=12))
def test_every_byte_of_a_value_arrives(
    posix: Shells, birth: State, name: str, variables: dict[bytes, bytes]
) -> None:
    shell = posix(name)
    command = b"\n".join(b"export %s=%s" % (n, quote(value)) for n, value in variables.items())
    state = after(shell, birth, command)
    expected = {n: Variable(value) for n, value in variables.items()}
    assert {n: state.variables[n] for n in expected} == expected
    assert after(shell, state, b":") == state


@SHELLS
def test_large_values(posix: Shells, birth: State, name: str) -> None:
    value = b"\xff'\n" * 70_000
    start = State(birth.cwd, {**birth.variables, b"big": Variable(value)})
    ended = run(posix(name), start, b'printf %s "$big"')
    assert ended.out == value
    report = left(posix(name), ended)
    assert report is not None
    assert report.state.variables[b"big"] == Variable(value)


@SHELLS
@pytest.mark.parametrize(
    "command",
    [
        b"exit 3", b"set -e; false", b"set -u; echo $nope", b"IFS=01; false", b"if", b"set -f -v",
        b"pwd() { echo no; }; printf() { echo no; }; exit", b"alias pwd=false printf=false; exit",
        b"set -C", b"PATH=; false", b"exec >&- 2>&- <&-; exit 4", b"trap 'echo bye' EXIT; false",
    ],
)  # fmt: skip
def test_every_kind_of_end_is_reported(
    posix: Shells, birth: State, name: str, command: bytes
) -> None:
    state = after(posix(name), birth, b"export kept=1; cd /\n" + command)
    assert state.variables[b"kept"] == Variable(b"1")
    assert state.cwd == b"/"


@SHELLS
@pytest.mark.parametrize("command", [b"exec true", b"kill -9 $$", b"kill -TERM $$"])
def test_a_missing_report_is_not_invented(
    posix: Shells, birth: State, name: str, command: bytes
) -> None:
    assert left(posix(name), run(posix(name), birth, command)) is None
