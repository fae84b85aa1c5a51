"""Hypothesis strategies for messages, generated from the annotations that the codec uses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from shellwire.protocol.messages import ClientMessage, ServerMessage

if TYPE_CHECKING:
    from collections.abc import Callable

_MAY_HOLD_NUL = {"data", "stdin_data"}

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def _text(kind: inspect.StrType) -> st.SearchStrategy[str]:
    if kind.pattern is not None:
        return st.from_regex(kind.pattern, fullmatch=True, alphabet=_CHARACTERS)
    return st.text(_CHARACTERS, min_size=kind.min_length or 0, max_size=kind.max_length)


def _array(kind: inspect.ListType | inspect.VarTupleType) -> st.SearchStrategy[Any]:
    items = st.lists(_of(kind.item_type), max_size=3)
    return items.map(tuple) if isinstance(kind, inspect.VarTupleType) else items


_MAKERS: dict[type[inspect.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    inspect.AnyType: lambda _: json_values,
    inspect.Metadata: lambda kind: _of(kind.type),
    inspect.NoneType: lambda _: st.none(),
    inspect.BoolType: lambda _: st.booleans(),
    inspect.IntType: lambda kind: st.integers(kind.ge, kind.le),
    inspect.FloatType: lambda kind: st.floats(
        kind.ge, kind.le, allow_nan=False, allow_infinity=False
    ),
    inspect.StrType: _text,
    inspect.LiteralType: lambda kind: st.sampled_from(kind.values),
    inspect.UnionType: lambda kind: st.one_of(*map(_of, kind.types)),
    inspect.DictType: lambda kind: st.dictionaries(
        _of(kind.key_type), _of(kind.value_type), max_size=3
    ),
    inspect.ListType: _array,
    inspect.VarTupleType: _array,
}


def _of(kind: inspect.Type) -> st.SearchStrategy[Any]:
    if isinstance(kind, inspect.StructType):
        return _struct(kind.cls)
    return _MAKERS[type(kind)](kind)


def _field(field: inspect.Field) -> st.SearchStrategy[Any]:
    if field.name in _MAY_HOLD_NUL:
        text = st.text()
        return text if field.required else st.none() | text
    # An absent cwd is None, never "": the annotation ensures it.
    return _of(field.type)


@cache
def _struct(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return st.builds(kind, **{field.name: _field(field) for field in shape.fields})


def client_messages() -> st.SearchStrategy[ClientMessage]:
    """Return any message that a client may send after `auth`."""
    return st.one_of(*map(_struct, get_args(ClientMessage)))


def server_messages() -> st.SearchStrategy[ServerMessage]:
    """Return any message that the daemon may send."""
    return st.one_of(*map(_struct, get_args(ServerMessage)))
