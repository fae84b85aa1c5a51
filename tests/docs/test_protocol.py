"""A daemon behaves as every transcript and example in PROTOCOL.md shows."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.docs import curl, transcript
from tests.docs.document import Document
from tests.docs.handshake import Raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.docs.document import Block
    from tests.live import Daemon

PROTOCOL = Document("PROTOCOL.md")
TRANSCRIPTS = PROTOCOL.of_kind("transcript")
RAW = PROTOCOL.of_kind("http")
CURL = PROTOCOL.of_kind("curl")


@pytest.mark.parametrize("block", TRANSCRIPTS, ids=lambda block: block.name)
async def test_transcript(
    block: Block, daemon: Daemon, own_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    flags = list(transcript.flags(block))
    played_by = own_daemon(*flags) if flags else daemon
    again = partial(own_daemon, *flags) if flags else None
    directory = tmp_path / "directory"
    directory.mkdir()
    player = transcript.Player(
        played_by, transcript.parse(block.text), directory=directory, again=again
    )
    await player.play()


@pytest.mark.parametrize("block", RAW, ids=lambda block: block.name)
async def test_raw_bytes(block: Block, own_daemon: Callable[..., Daemon]) -> None:
    await asyncio.to_thread(Raw(own_daemon(), block.text).play)


@pytest.mark.parametrize("block", CURL, ids=lambda block: block.name)
async def test_curl(block: Block, daemon: Daemon, tmp_path: Path) -> None:
    await asyncio.to_thread(curl.play, daemon, block.text, tmp_path)


def test_every_kind_of_block_is_known() -> None:
    kinds = {"transcript", "http", "json", "text", "curl"}
    assert {block.kind for block in PROTOCOL.blocks} == kinds
    assert len(TRANSCRIPTS) > 20
