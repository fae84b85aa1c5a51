"""tokens.json: only hashes, atomic, and refused when it is not understood."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shellwire.credentials import Credential
from shellwire.errors import DamagedFile, InvalidMessage
from shellwire.home.tokens import KEEP_EXPIRED, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.home.paths import Home


def named(name: str, expires: float | None = None) -> Callable[[str], Credential]:
    """Return what makes a credential of that name from its id."""

    def make(token_id: str) -> Credential:
        return Credential(
            id=token_id, name=name, principal=name, role="viewer", created=1.0, expires=expires
        )

    return make


def test_a_token_is_found_again(home: Home) -> None:
    tokens = Tokens.load(home)
    assert tokens.all() == []
    given_token = tokens.add(named("a_b.c-d"))
    assert given_token.startswith("sw1_a_b.c-d_")
    for each in (tokens, Tokens.load(home)):
        found = each.find(given_token)
        assert found is not None
        assert found.name == "a_b.c-d"
    assert os.stat(home.tokens_file).st_mode & 0o777 == 0o600
    assert given_token not in home.tokens_file.read_text()


def test_another_process_s_change_is_kept(home: Home) -> None:
    ours, theirs = Tokens.load(home), Tokens.load(home)
    ours.add(named("one"))
    theirs.add(named("two"))
    assert [each.name for each in theirs.all()] == ["one", "two"]
    ours.replace(lambda all_of_them: [each for each in all_of_them if each.name != "one"])
    theirs.reload()
    assert [each.name for each in theirs.all()] == ["two"]


def test_what_make_refuses_changes_nothing(home: Home) -> None:
    tokens = Tokens.load(home)
    tokens.add(named("kept"))
    before = home.tokens_file.read_bytes()

    def refuse(_token_id: str) -> Credential:
        raise InvalidMessage("no")

    with pytest.raises(InvalidMessage):
        tokens.add(refuse)
    assert home.tokens_file.read_bytes() == before


def test_long_expired_ones_are_forgotten(home: Home) -> None:
    tokens = Tokens.load(home)
    now = time.time()
    tokens.add(named("old", expires=now - KEEP_EXPIRED - 1))
    tokens.add(named("recent", expires=now - KEEP_EXPIRED + 60))
    assert [each.name for each in tokens.all()] == ["recent"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"tokens": {}}',
        '{"tokens": [{}]}',
        '{"others": []}',
        b"\xff",
        "[" * 100_000,
    ],
)
def test_a_damaged_file(home: Home, content: str | bytes) -> None:
    home.ensure()
    home.tokens_file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DamagedFile, match="no token in it works"):
        Tokens.load(home)


@pytest.mark.parametrize(
    "change",
    [
        {"role": "owner"},
        {"only": 1},
        {"expires": "soon"},
        {"principal": "owner"},  # it would have the owner's jobs, and no limits
        {"name": "owner"},
        {"name": "a\nb"},
        {"from": ["10.0.0.0/8", "nowhere"]},
        {"sha256": "ä"},
    ],
)
def test_an_entry_that_is_not_understood(home: Home, change: dict[str, object]) -> None:
    """An unknown field may be a restriction: without understanding it nothing is admitted."""
    Tokens.load(home).add(named("a"))
    (entry,) = json.loads(home.tokens_file.read_text())["tokens"]
    home.tokens_file.write_text(json.dumps({"tokens": [{**entry, **change}]}))
    with pytest.raises(DamagedFile):
        Tokens.load(home)


def test_no_wrong_token_is_found(home: Home) -> None:
    tokens = Tokens.load(home)
    right = tokens.add(named("a"))

    @given(st.text() | st.integers(0, len(right) - 1).map(lambda at: right[:at] + right[at + 1 :]))
    def check(wrong: str) -> None:
        assert tokens.find(wrong) is None

    check()
    for wrong in (right + "\n", right.upper(), "\udcff" + right, f"sw1_b{right[5:]}"):
        assert tokens.find(wrong) is None
    assert msgspec.structs.asdict(tokens.all()[0])["name"] == "a"
