"""Copies between a local file and one on the daemon's machine, over HTTP.

``Files`` documents the functions.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from shellwire.client.files.content import LocalContent, open_regular, read_whole
from shellwire.client.files.download import Download, fetch_metadata
from shellwire.client.files.partial_file import PartialFile
from shellwire.client.files.upload import Upload
from shellwire.client.files.upload_options import options_for_copy
from shellwire.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from shellwire.client.files.calls import Files
    from shellwire.client.files.download import Sink
    from shellwire.client.files.paths import StrPath
    from shellwire.client.files.requests import FileRequests


class CopyOptions(NamedTuple):
    """The options that both directions share."""

    compress: bool
    preserve: bool
    progress: Callable[[int, int], None] | None


async def upload(
    files: Files,
    requests: FileRequests,
    source: str | os.PathLike[str],
    path: StrPath,
    options: CopyOptions,
    expected_hash: str | None,
) -> str:
    """Copy a local file to the remote ``path``; return its SHA-256."""
    target = await requests.resolve(path)
    file = await asyncio.to_thread(open_regular, os.fspath(source))
    try:
        metadata = os.fstat(file.fileno())
        content = LocalContent(file, os.fspath(source))
        if not metadata.st_size:
            content = await asyncio.to_thread(read_whole, file, os.fspath(source))
        chosen = await options_for_copy(
            files.stat,
            target,
            stat.S_IMODE(metadata.st_mode),
            metadata.st_mtime_ns,
            compress=options.compress,
            preserve=options.preserve,
            if_match=expected_hash,
        )
        return await Upload(requests.http, content, target, chosen, options.progress).run()
    finally:
        file.close()


async def download(
    requests: FileRequests,
    path: StrPath,
    target: str | os.PathLike[str],
    options: CopyOptions,
    *,
    only_executable: bool,
    unless: Callable[[], bool] | None,
) -> str:
    """Copy the remote file ``path`` to a local file; return its SHA-256."""
    source = await requests.resolve(path)
    metadata = await fetch_metadata(requests.http, source)
    partial = await asyncio.to_thread(PartialFile, os.fspath(target), metadata)
    transfer = Download(
        requests.http,
        source,
        metadata,
        partial.file,
        compress=options.compress,
        progress=options.progress,
    )
    try:
        await transfer.run()
        await asyncio.to_thread(
            partial.commit,
            transfer.metadata,
            preserve=options.preserve,
            only_executable=only_executable,
            unless=unless,
        )
    except (Unreachable, asyncio.CancelledError):
        partial.keep()
        raise
    except BaseException:
        partial.discard()
        raise
    return transfer.metadata.hash


async def download_into(
    requests: FileRequests, path: StrPath, file: Sink, options: CopyOptions
) -> str:
    """Write the remote file ``path`` into an open local file; return its SHA-256."""
    source = await requests.resolve(path)
    metadata = await fetch_metadata(requests.http, source)
    transfer = Download(
        requests.http,
        source,
        metadata,
        file,
        compress=options.compress,
        progress=options.progress,
    )
    await transfer.run()
    return transfer.metadata.hash
