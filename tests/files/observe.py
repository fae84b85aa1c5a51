"""A fake journal of temporary files, and a directory that races with a symlink."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from typing import TYPE_CHECKING

from shellwire.files.limits import FileLimits
from shellwire.files.write import Replacement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shellwire.files.root import Root


class FakeJournal:
    """The temporary files that exist, as the home would note them."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []

    def note(self, path: bytes) -> bytes | None:
        self.paths.append(path)
        return path

    def forget(self, noted: bytes | None) -> None:
        assert noted is not None
        self.paths.remove(noted)


def begin(
    root: Root, path: bytes, *, limits: FileLimits | None = None, create_parents: bool = True
) -> Replacement:
    """Begin to write ``path``; without limits by default."""
    limits = limits or FileLimits()
    return Replacement(root, path, FakeJournal(), limits, create_parents=create_parents)


def names(directory: Path) -> list[str]:
    """Return all names in a directory, also hidden ones."""
    return sorted(os.listdir(directory))


@contextlib.contextmanager
def swapping(directory: Path, target: Path) -> Iterator[None]:
    """Swap ``directory`` with a symlink to ``target``, as often as possible."""
    spare, link = directory.with_name("spare"), directory.with_name("link")
    link.symlink_to(target)
    over = threading.Event()

    def arrive(path: Path) -> None:
        while True:
            with contextlib.suppress(OSError):
                os.rename(path, directory)
                return
            # A writer has made the directory again, and may have moved a file into it.
            with contextlib.suppress(OSError):
                for name in os.listdir(directory):
                    os.rename(directory / name, spare / name)
            shutil.rmtree(directory, ignore_errors=True)

    def swap() -> None:
        while not over.is_set():
            os.rename(directory, spare)
            arrive(link)
            os.rename(directory, link)
            arrive(spare)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
