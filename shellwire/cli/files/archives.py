"""Small tar archives for what no message can create: symlinks, directories with modes."""

from __future__ import annotations

import io
import tarfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def directories_archive(modes: Mapping[str, int]) -> bytes:
    """Return an archive that creates directories, or sets the modes of existing ones.

    Paths are relative to where it is unpacked; the empty path is that directory itself.
    """
    now = time.time()
    members = []
    for path, mode in sorted(modes.items()):
        member = tarfile.TarInfo(path or ".")
        member.type, member.mode, member.mtime = tarfile.DIRTYPE, mode & 0o1777, now
        members.append(member)
    return _archive(members)


def symlink_archive(path: str, target: str) -> bytes:
    """Return an archive with one symlink."""
    link = tarfile.TarInfo(path)
    link.type, link.linkname = tarfile.SYMTYPE, target
    return _archive([link])


def _archive(members: Iterable[tarfile.TarInfo]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member)
    return archive.getvalue()
