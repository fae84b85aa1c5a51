"""Viewers with any window, at a process that writes two streams: all comes, and no more is sent."""

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
    """What writes, as the job's pump sees it; and the job, as its viewers see it."""

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
        """Write as much as may be read, and end with the last byte."""
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
        """Take note that a viewer has taken something."""
        self.output.resume_reading()

    def waiting(self) -> int:
        """Return what is in the kernel at the end: nothing."""
        return 0

    def drain(self) -> None:
        """Read that."""

    def resume(self) -> None:
        """Go on."""

    def view(self, window: int | None, *, text: bool, after: int = 0) -> Viewer:
        """Let somebody view it."""
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
        """Return all that a stream wrote."""
        index = STREAMS.index(stream)
        return bytes(byte for each, byte in self.written if each == index).decode(errors="replace")


@dataclass
class Client:
    """Takes what comes to a viewer and credits what it has taken."""

    process: Process
    viewer: Viewer
    window: int
    texts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(STREAMS, ""))
    credited: int = 0
    given: int = 0
    outcome: Outcome | None = None

    def take(self) -> bool:
        """Take all that may come now. Returns whether anything did."""
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
        # Beyond the window one character comes, and that only to who has consumed all before it;
        # and what a stream left unfinished, which counts among the bytes passed over.
        whole = text.replace("\ufffd", "")
        if piece.end > self.credited + self.window and whole:
            assert self.given <= self.credited
            assert len(whole) == 1
        assert piece.end >= self.given
        self.given = piece.end
        self.texts[piece.stream] += text

    def credit(self, end: int) -> None:
        """Say that it has consumed what comes before ``end``."""
        self.credited = max(self.credited, end)
        self.viewer.credit(end)


@given(_WRITES, st.integers(1, 6), st.data())
@settings(max_examples=100, deadline=None)
def test_text_comes_whole_through_any_window(
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
            # Nothing moves by itself: it has to have consumed what it was given.
            assert client.credited < client.given
            client.credit(client.given)
    for stream in STREAMS:
        assert client.texts[stream] == process.text(stream)
    assert (client.viewer.done, client.outcome.at) == (True, len(process.written))


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 6, 64])
@pytest.mark.parametrize("text", [False, True])
def test_two_characters_that_two_streams_write_in_turns(window: int, text: bool) -> None:
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


def test_a_stream_that_stays_unfinished_is_not_lost_by_what_the_other_writes() -> None:
    # The window is the buffer, so all before what comes next is evicted.
    process = Process([(0, b"\xe2"), (1, b"x" * 64), (1, b"x" * 64), (0, b"\x82\xac")])
    client = Client(process, process.view(None, text=True), 1 << 20)
    while client.outcome is None:
        process.run()
        client.take()
    assert client.texts == {"stdout": "€", "stderr": "x" * 128}


@given(_WRITES, st.integers(0, 40), st.integers(1, 6))
@settings(max_examples=100, deadline=None)
def test_a_replay_is_what_was_live(
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
