"""Viewers with any window, and two streams: output is complete and within the window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shellwire.jobs.buffer import STREAMS, Gap, Piece
from shellwire.jobs.model import Outcome, Request
from shellwire.jobs.output import Output
from shellwire.jobs.viewer import Viewer

if TYPE_CHECKING:
    from shellwire.jobs.pump import Pump

_BYTES = st.one_of(
    st.sampled_from([b"a", b"\xe2", b"\x82", b"\xac", b"\xf0", b"\x9f\x98", b"\x80", b"\xff"]),
    st.sampled_from(["abc", "a€", "é", "😀"]).map(str.encode),
)
_WRITES = st.lists(st.tuples(st.sampled_from([0, 1]), _BYTES), max_size=15)


@dataclass(eq=False)
class Process:
    """A fake process for the pump, and a fake job for the viewers."""

    to_write: list[tuple[int, bytes]]
    capacity: int = 64
    written: list[tuple[int, int]] = field(default_factory=list)
    notices: list[object] = field(default_factory=list)
    notice_count: int = 0
    outcome: Outcome | None = None
    output_ended: bool = False
    paused: bool = False

    def __post_init__(self) -> None:
        self.output = Output(Request("command", None), self.capacity, lambda: None)
        self.output.pump = cast("Pump", self)
        self.buffer = self.output.buffer

    def run(self) -> None:
        """Write as much as may be read; exit after the last byte."""
        while self.to_write and (budget := self.output.read_budget()) > 0:
            stream, data = self.to_write.pop(0)
            if data[budget:]:
                self.to_write.insert(0, (stream, data[budget:]))
            self.output.received(stream, data[:budget])
            self.written += [(stream, byte) for byte in data[:budget]]
        if not self.to_write and self.outcome is None:
            self.output.finish()
            self.outcome = Outcome("exited", at=self.buffer.end)
            self.output_ended = True

    def resume_reading(self) -> None:
        """A viewer has taken output."""
        self.output.resume_reading()

    def waiting(self) -> int:
        """Return the number of bytes in the kernel at the exit: none."""
        return 0

    def drain(self) -> None:
        """Do nothing: no bytes wait."""

    def resume(self) -> None:
        """Continue."""

    def view(self, window: int | None, *, text: bool, after: int = 0) -> Viewer:
        """Add a viewer."""
        viewer = Viewer(
            self,  # type: ignore[arg-type]
            lambda: None,
            after,
            self.output.window(window),
            credited=window is not None,
            text=text,
        )
        self.output.join(viewer)
        return viewer

    def text(self, stream: str) -> str:
        """Return everything that a stream wrote."""
        index = STREAMS.index(stream)
        return bytes(byte for each, byte in self.written if each == index).decode(errors="replace")


@dataclass
class Client:
    """Takes what a viewer returns, and credits it."""

    process: Process
    viewer: Viewer
    window: int
    texts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(STREAMS, ""))
    credited: int = 0
    given: int = 0
    outcome: Outcome | None = None

    def take(self) -> bool:
        """Take everything that is available. Returns whether there was anything."""
        came = False
        while (event := self.viewer.take(16)) is not None:
            came = True
            assert not isinstance(event, Gap)
            if isinstance(event, Piece):
                self._piece(event)
            else:
                assert isinstance(event, Outcome)
                assert self.outcome is None
                self.outcome = event
        return came

    def _piece(self, piece: Piece) -> None:
        assert self.outcome is None
        assert piece.data
        text = piece.data.decode(errors="replace")
        # Beyond the window only one character is delivered, to a reader that has consumed all
        # before it; and a stream's incomplete character, whose bytes were held back.
        whole = text.replace("\ufffd", "")
        if piece.end > self.credited + self.window and whole:
            assert self.given <= self.credited
            assert len(whole) == 1
        assert piece.end >= self.given
        self.given = piece.end
        self.texts[piece.stream] += text

    def credit(self, end: int) -> None:
        """Report everything before ``end`` as consumed."""
        self.credited = max(self.credited, end)
        self.viewer.credit(end)


@given(_WRITES, st.integers(1, 6), st.data())
@settings(max_examples=100, deadline=None)
def test_text_is_complete_through_any_window(
    writes: list[tuple[int, bytes]], window: int, data: st.DataObject
) -> None:
    process = Process(list(writes))
    client = Client(process, process.view(window, text=True), window)
    while client.outcome is None:
        before = client.viewer.offset
        process.run()
        came = client.take() or client.viewer.offset > before
        if data.draw(st.booleans()):
            most = max(client.given, client.credited)
            client.credit(data.draw(st.integers(client.credited, most)))
        elif not came:
            # No progress without credit: the client must consume its output first.
            assert client.credited < client.given
            client.credit(client.given)
    for stream in STREAMS:
        assert client.texts[stream] == process.text(stream)
    assert (client.viewer.done, client.outcome.at) == (True, len(process.written))


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 6, 64])
@pytest.mark.parametrize("text", [False, True])
def test_two_streams_that_alternate_within_characters(window: int, text: bool) -> None:
    writes = [
        (each, bytes([byte]))
        for pair in zip("😀€a".encode(), "🙈é..".encode(), strict=True)
        for each, byte in enumerate(pair)
    ]
    process = Process(writes)
    viewer = process.view(window, text=text)
    taken: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    while not viewer.delivered:
        process.run()
        event = viewer.take(16)
        if isinstance(event, Piece):
            taken[event.stream].append(event.data)
            viewer.credit(event.end)
    whole = {stream: b"".join(pieces).decode() for stream, pieces in taken.items()}
    assert whole == {"stdout": "😀€a", "stderr": "🙈é.."}
    if text:
        assert all(piece.decode() for pieces in taken.values() for piece in pieces)


@pytest.mark.parametrize("window", [1, 2, 4, 5])
def test_bytes_are_never_more_than_the_window(window: int) -> None:
    process = Process([(0, "😀😀😀".encode())])
    viewer = process.view(window, text=False)
    credited, seen = 0, b""
    while len(seen) < 12:
        process.run()
        event = viewer.take(16)
        assert isinstance(event, Piece)
        seen += event.data
        assert event.end == len(seen) <= credited + window
        assert process.buffer.end <= credited + window
        if len(seen) == credited + window:
            assert not isinstance(viewer.take(16), Piece)
            credited += 1
            viewer.credit(credited)
    assert seen.decode() == "😀😀😀"


def test_an_incomplete_character_survives_output_of_the_other_stream() -> None:
    # The window is the whole buffer, so everything before the next byte is evicted.
    process = Process([(0, b"\xe2"), (1, b"x" * 64), (1, b"x" * 64), (0, b"\x82\xac")])
    client = Client(process, process.view(None, text=True), 1 << 20)
    while client.outcome is None:
        process.run()
        client.take()
    assert client.texts == {"stdout": "€", "stderr": "x" * 128}


@given(_WRITES, st.integers(0, 40), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_a_replay_equals_the_live_output(
    writes: list[tuple[int, bytes]], after: int, window: int
) -> None:
    process = Process(list(writes))
    live = Client(process, process.view(None, text=True), 1 << 20)
    while live.outcome is None:
        process.run()
        live.take()
    after = process.buffer.align(min(after, process.buffer.end))
    replay = Client(process, process.view(window, text=True, after=after), window)
    replay.credited = replay.given = after
    while replay.outcome is None:
        replay.take()
        replay.credit(replay.given)
    for stream in STREAMS:
        assert live.texts[stream].endswith(replay.texts[stream])
