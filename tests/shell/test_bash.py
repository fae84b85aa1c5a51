"""The state that one bash reports is restored in the next: random state in real shells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell.quoting import quote
from shellwire.shell.state import State, Variable
from tests.shell.shells import after, left, run
from tests.shell.strategies import aliases, declarations, functions, names, values, with_shells

if TYPE_CHECKING:
    from shellwire.shell.bash import Bash

LOCALES = st.sampled_from([b"C", b"C.UTF-8", b"xx_XX.nowhere"])


def _in_locale(birth: State, locale: bytes) -> State:
    return replace(birth, variables={**birth.variables, b"LC_ALL": Variable(locale)})


@with_shells
@given(variables=st.dictionaries(names, values, max_size=12), locale=LOCALES)
def test_every_byte_of_a_value_arrives(
    bash: Bash, birth: State, variables: dict[bytes, bytes], locale: bytes
) -> None:
    start = _in_locale(birth, locale)
    command = b"\n".join(
        b"export %s=%s" % (name, quote(value)) for name, value in variables.items()
    )
    state = after(bash, start, command)
    assert state.variables == {
        **start.variables,
        **{name: Variable(value) for name, value in variables.items()},
    }
    assert after(bash, state, b":") == state


@with_shells
@given(lines=st.lists(declarations(), max_size=12), locale=LOCALES)
def test_variables_of_every_kind_are_restored(
    bash: Bash, birth: State, lines: list[bytes], locale: bytes
) -> None:
    state = after(bash, _in_locale(birth, locale), b"\n".join(lines))
    assert after(bash, state, b":") == state


@with_shells
@given(definitions=st.lists(functions(), max_size=6), tail=st.lists(aliases, max_size=4))
def test_functions_and_aliases_are_restored(
    bash: Bash, birth: State, definitions: list[bytes], tail: list[bytes]
) -> None:
    ended = run(bash, birth, b"shopt -s extglob\n" + b"\n".join([*definitions, *tail]))
    report = left(bash, ended)
    if report is None and b"\nf () \n" in ended.report:
        return  # a here-document looks like the next function: the report is rejected
    assert report is not None, ended
    assert report.whole, ended
    state = report.state
    assert len(state.functions) == len({line.split()[1] for line in definitions})
    assert after(bash, state, b":") == state


_shadows = st.lists(
    st.tuples(
        st.sampled_from([b"va", b"vb", b"vc", b"vd"]),
        st.sampled_from([b"", b"-x", b"-i", b"-a", b"-A", b"-n", b"-u"]),
        st.sampled_from([b"", b"=", b"=5", b"=other"]),
    ),
    max_size=4,
    unique_by=lambda shadow: shadow[0],
)


@with_shells
@given(outer=_shadows, inner=_shadows, temporary=st.booleans())
def test_exit_inside_a_function_leaves_the_globals(
    bash: Bash,
    birth: State,
    outer: list[tuple[bytes, ...]],
    inner: list[tuple[bytes, ...]],
    temporary: bool,
) -> None:
    def local(shadows: list[tuple[bytes, ...]]) -> bytes:
        return b"\n".join(b"local %s %s%s" % (flag, name, end) for name, flag, end in shadows)

    command = b"export va=1; vb='2 3'; vc=(4 5); declare -i vd=6 other=7"
    expected = after(bash, birth, command)
    command += b"\ng() {\n%s\nexit 3\n}\nf() {\n%s\ng\n}\n" % (local(inner), local(outer))
    ended = run(bash, birth, command + (b"va=t vx=t f" if temporary else b"f"))
    assert ended.status == 3, ended
    report = left(bash, ended)
    assert report is not None
    assert report.state.variables == expected.variables
