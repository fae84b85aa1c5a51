"""Quoting: every shell reads our words, and we parse the words that shells print."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.shell.quoting import quote, unquote
from shellwire.shell.state import State
from tests.shell.shells import run_plainly
from tests.shell.strategies import values, with_shells

_NOWHERE = State(b"/")
_EVERY_BYTE = bytes(range(1, 256))


@given(st.binary())
def test_unquote_undoes_quote(data: bytes) -> None:
    assert unquote(quote(data)) == data


@pytest.mark.parametrize("name", ["bash", pytest.param("dash", marks=pytest.mark.needs("dash"))])
@with_shells
@given(st.lists(values, min_size=1))
def test_a_shell_reads_the_same_bytes(name: str, words: list[bytes]) -> None:
    command = b"printf '%s\\0' " + b" ".join(map(quote, words))
    assert run_plainly(_path(name), _NOWHERE, command).out.split(b"\0")[:-1] == words


@pytest.mark.parametrize("name", ["bash", pytest.param("dash", marks=pytest.mark.needs("dash"))])
def test_a_shell_reads_every_byte(name: str) -> None:
    command = b"printf %s " + quote(_EVERY_BYTE)
    assert run_plainly(_path(name), _NOWHERE, command).out == _EVERY_BYTE


@pytest.mark.parametrize("form", ["%s\\n' \"${v@Q}", "%q\\n' \"$v"])
@pytest.mark.parametrize("locale", [b"C", b"C.UTF-8"])
@with_shells
@given(value=values)
def test_words_quoted_by_bash_are_parsed(form: str, locale: bytes, value: bytes) -> None:
    command = b"LC_ALL=%s; v=%s; printf '%s\"" % (locale, quote(value), form.encode())
    printed = run_plainly(_path("bash"), _NOWHERE, command).out
    assert unquote(printed.removesuffix(b"\n")) == value


@pytest.mark.parametrize(
    "word", [b"'", b'"', b"$'", b"a b", b"$x", b"`x`", b"a;b", b"a\\", b'"a"b"', b"(", b"<"]
)
def test_invalid_words_are_refused(word: bytes) -> None:
    with pytest.raises(ValueError, match="word"):
        unquote(word)


def _path(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"these tests need {name}"
    return found
