"""Long messages come in fragments, between which others have their turn."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from shellwire.server.frames import FRAGMENT, Pieces, frames
from tests.server.raw import CONTINUATION, PING, PONG, TEXT, Raw, frame

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live import Daemon

# Around each bound of the header's forms, and of a fragment.
LENGTHS = [0, 1, 125, 126, 65535, 65536, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT + 1]


def many_files(directory: Path) -> int:
    """Make files whose list is longer than what sockets take at once; return how many."""
    directory.mkdir()
    count = 5000
    first = directory / "0"
    first.touch()
    for number in range(1, count):
        # A link costs less than a file; each character of this name takes six in JSON.
        (directory / f"{number}".ljust(200, "\x01")).hardlink_to(first)
    return count


@given(st.lists(st.sampled_from(LENGTHS), min_size=1, max_size=4))
async def test_frames_are_what_any_library_puts_together(lengths: list[int]) -> None:
    pieces = [bytes([65 + number]) * length for number, length in enumerate(lengths)]
    whole = b"".join(pieces)
    reader = asyncio.StreamReader()
    sent = list(frames(Pieces(pieces)))
    for each in sent:
        reader.feed_data(each)
    assert all(len(each) <= FRAGMENT + 10 for each in sent)
    raw = Raw.__new__(Raw)
    raw.reader = reader
    found = []
    for number in range(len(sent)):
        final, (opcode, payload) = await raw.fragment()
        assert final is (number == len(sent) - 1)
        assert opcode == (CONTINUATION if number else TEXT)
        found.append(payload)
    assert b"".join(found) == whole
    assert list(frames(whole)) == sent


async def test_pings_are_answered_between_the_fragments_of_a_message(
    daemon: Daemon, tmp_path: Path
) -> None:
    count = many_files(tmp_path / "many")
    raw = await Raw.client(daemon, "between")
    raw.stop_reading()
    raw.send({"type": "fs_list", "id": "1", "root": str(tmp_path / "many")})
    raw.read_again()
    final, (opcode, payload) = await raw.fragment()
    assert (final, opcode) == (False, TEXT)
    raw.stop_reading()
    raw.write(frame(PING, b"still there?"))
    raw.read_again()
    parts = [payload]
    ponged_at = None
    while not final:
        final, (opcode, payload) = await raw.fragment()
        if opcode == PONG:
            ponged_at, final = len(parts), False
        elif opcode != PING:
            assert opcode == CONTINUATION
            parts.append(payload)
    message = json.loads(b"".join(parts))
    assert len(message["result"]["entries"]) == count
    assert ponged_at is not None
    assert ponged_at < len(parts)
