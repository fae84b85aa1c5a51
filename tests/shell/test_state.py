"""States and changes: a command's change leads from its start state to its end state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell.state import Change, Function, State, Variable, apply, difference

_names = st.sampled_from([b"a", b"b", b"c", b"d"])
_variables = st.dictionaries(_names, st.builds(Variable, st.binary(max_size=2), st.just("x")))
_states = st.builds(
    State,
    st.sampled_from([b"/", b"/x"]),
    _variables,
    st.dictionaries(_names, st.builds(Function, st.binary(max_size=2), st.booleans())),
    st.dictionaries(_names, st.binary(max_size=2)),
)


def _all(_name: bytes, _variable: Variable) -> bool:
    return True


@given(_states, _states)
def test_the_difference_leads_from_start_to_end(start: State, end: State) -> None:
    assert apply(start, difference(start, end, visible=_all)) == end


@given(_states)
def test_equal_states_give_no_change(state: State) -> None:
    change = difference(state, state, visible=_all)
    assert not change
    assert apply(state, change) == state


@given(_states, _states, _states)
def test_untouched_values_keep_the_changes_of_others(start: State, end: State, now: State) -> None:
    merged = apply(now, difference(start, end, visible=_all))
    for name in (b"a", b"b", b"c", b"d"):
        changed = start.variables.get(name) != end.variables.get(name)
        source = end if changed else now
        assert merged.variables.get(name) == source.variables.get(name)
        changed = start.aliases.get(name) != end.aliases.get(name)
        assert merged.aliases.get(name) == (end if changed else now).aliases.get(name)
    assert merged.cwd == (end.cwd if end.cwd != start.cwd else now.cwd)


@given(_states, _states)
def test_unreportable_variables_are_not_removed(start: State, end: State) -> None:
    merged = apply(start, difference(start, end, visible=lambda name, _: name != b"a"))
    assert (b"a" in merged.variables) == (b"a" in start.variables or b"a" in end.variables)


@given(_states, _states)
def test_without_removals_nothing_is_removed(start: State, end: State) -> None:
    merged = apply(start, difference(start, end, visible=_all, removals=False))
    assert merged.variables == {**start.variables, **end.variables}
    assert merged.functions.keys() == start.functions.keys() | end.functions.keys()


def test_only_exported_scalars_are_environment() -> None:
    state = State(
        b"/",
        {
            b"a": Variable(b"1"),
            b"b": Variable(b"2", ""),
            b"c": Variable(b"([0]=3)", "ax"),
            b"d": Variable(b"4", "ix"),
        },
    )
    assert state.environment() == {b"a": b"1", b"d": b"4"}
    assert not Change()
