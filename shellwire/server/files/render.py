"""Convert snapshots of files to results of file messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shellwire.protocol import messages
from shellwire.protocol.data import encode_data
from shellwire.protocol.file_names import encode_name

if TYPE_CHECKING:
    from shellwire.files.entry import Entry
    from shellwire.files.read import Content
    from shellwire.files.root import Root
    from shellwire.files.walk import Match

_CAPABILITIES = messages.Capabilities(
    atomic_write=True,
    hash="sha256",
    chunked_read=True,
    server_search=True,
    server_glob=True,
)


def root_info(root: Root) -> messages.RootInfo:
    """Return the result of ``fs_root_info``."""
    name = os.path.basename(root.real) or root.real
    return messages.RootInfo(
        root=encode_name(root.real), display_name=encode_name(name), capabilities=_CAPABILITIES
    )


def entry(found: Entry) -> messages.Entry:
    """Return the entry of a file or a directory."""
    path = encode_name(found.path)
    return messages.Entry(
        name=encode_name(found.name),
        relative_path=path,
        path=path,
        is_directory=found.is_directory,
        is_symlink=found.is_symlink,
        size=found.size,
        last_modified=found.mtime_ns // 1_000_000,
        mode=found.mode,
        mtime=found.mtime_ns / 1e9,
        target=None if found.target is None else encode_name(found.target),
        ctime=found.ctime_ns / 1e9,
        inode=found.inode,
        device=found.device,
    )


def content(piece: Content) -> messages.Content:
    """Return the result of ``fs_read``."""
    return messages.Content(
        path=encode_name(piece.path),
        offset=piece.offset,
        length_read=len(piece.data),
        next_offset=piece.end,
        eof=piece.end >= piece.size,
        content_base64=encode_data(piece.data, "base64"),
        size=piece.size,
        mtime=piece.mtime_ns // 1_000_000,
        hash=piece.hash,
        is_binary=piece.is_binary,
    )


def match(found: Match) -> messages.SearchMatch:
    """Return a match of ``fs_search``."""
    return messages.SearchMatch(
        path=encode_name(found.path),
        name=encode_name(found.path.rpartition(b"/")[2]),
        line_number=found.line_number,
        line_content=found.line,
        match_start=found.start,
        match_end=found.end,
    )
