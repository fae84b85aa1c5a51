"""A comparison continues when a peer fails, and reports the failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.measure import Effort
from bench.peers import compare, work
from bench.peers.environment import Missing
from bench.peers.peer import Batch, Peer, Unsupported, require_bytes
from bench.peers.shellwire import Current

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST = Effort(0.001)


class Odd(Peer):
    """A peer that supports no operation of these tests."""

    name = "odd"
    closed = 0

    def version(self) -> str:
        return "1"

    def start(self) -> None:
        """Nothing is needed."""

    def close(self) -> None:
        type(self).closed += 1

    def pids(self) -> list[int]:
        return [os.getpid()]


class Absent(Odd):
    name = "absent"

    def __init__(self) -> None:
        raise Missing("no network | none")


class Broken(Odd):
    name = "broken"

    def start(self) -> None:
        raise RuntimeError("a first line\na second")


class Failing(Odd):
    name = "failing"

    def run(self, batch: Batch) -> list[float]:
        raise ConnectionError("gone")


def run(monkeypatch: pytest.MonkeyPatch, *kinds: type[Peer]) -> dict[str, Any]:
    """Compare ``kinds`` in the first line only."""
    monkeypatch.setattr(compare, "KINDS", kinds)
    monkeypatch.setattr(compare, "GROUPS", work.GROUPS[:1])
    return compare.compare(LEAST)


def test_a_failure_is_reported_in_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(monkeypatch, Absent, Broken, Failing, Odd)
    assert found["versions"] == {
        "absent": "no network ¦ none",
        "broken": "does not start: a first line",
        "failing": "1",
        "odd": "1",
    }
    (line,) = found["lines"]
    assert {name: cell["reason"] for name, cell in line["cells"].items()} == {
        "absent": "missing",
        "broken": "missing",
        "failing": "failed: gone",
        "odd": "a terminal only",
    }
    assert all(cell["value"] is None for cell in line["cells"].values())


def test_a_started_peer_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Odd.closed
    run(monkeypatch, Odd)
    assert Odd.closed == before + 1


def test_a_peer_must_send_all_output() -> None:
    require_bytes(10, 10)
    with pytest.raises(RuntimeError, match="9 of 10 bytes"):
        require_bytes(9, 10)


# The column of this checkout, with a real daemon -------------------------------------------------


@pytest.fixture
def current() -> Iterator[Current]:
    peer = Current()
    try:
        peer.start()
        yield peer
    finally:
        peer.close()


def test_this_checkout_supports_every_line(current: Current) -> None:
    assert len(current.run(Batch(["export N=1", 'test "$N" = 1'], keep_state=True))) == 2
    with pytest.raises(RuntimeError, match="exited with 1"):
        current.run(Batch(["false"]))
    assert current.at_once(4, 2) > 0
    assert current.output("seq 1000", 3893) > 0
    assert current.terminal("seq 1000", 4893) > 0
    current.keys().press()
    assert current.rss() > 0
    assert current.version()


def test_this_checkout_leaves_no_process(current: Current) -> None:
    current.flood()
    (pid,) = current.pids()
    current.close()
    assert not Path(f"/proc/{pid}").exists()


def test_this_checkout_overrides_every_optional_operation() -> None:
    refused = [name for name, method in vars(Peer).items() if _refuses(method)]
    assert refused
    assert [name for name in refused if getattr(Current, name) is vars(Peer)[name]] == []


def _refuses(method: object) -> bool:
    return Unsupported.__name__ in getattr(getattr(method, "__code__", None), "co_names", ())
