"""Small archives that tell a daemon what no message does: symlinks, modes of directories."""

from __future__ import annotations

import io
import tarfile
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def directories(modes: Mapping[str, int]) -> bytes:
    """Return an archive that makes these directories, or gives them these permissions.

    Paths count from where it is unpacked; the empty one is that directory itself.
    """
    now = time.time()
    found = []
    for path, mode in sorted(modes.items()):
        made = tarfile.TarInfo(path or ".")
        made.type, made.mode, made.mtime = tarfile.DIRTYPE, mode & 0o1777, now
        found.append(made)
    return _archive(found)


def symlink(path: str, target: str) -> bytes:
    """Return an archive of one symlink."""
    link = tarfile.TarInfo(path)
    link.type, link.linkname = tarfile.SYMTYPE, target
    return _archive([link])


def _archive(members: Iterable[tarfile.TarInfo]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member)
    return archive.getvalue()
