"""Changing the file tree: making directories, deleting and renaming."""

from __future__ import annotations

import os
import secrets
import stat

from shellwire.errors import InvalidArgument, NotDirectory, NotFound
from shellwire.files.entry import Entry, entry_at
from shellwire.files.problems import shown, translate_os_errors
from shellwire.files.root import Place, Root

_MAX_DEPTH = 64


def make_directory(root: Root, path: bytes) -> Entry:
    """Make the directory at ``path`` and its missing parents. It may exist already.

    Raises NotDirectory if ``path`` exists and is not a directory, and the errors of ``Root.at``.
    """
    with root.at(path, create=True) as place:
        try:
            os.mkdir(place.name, dir_fd=place.directory)
        except FileExistsError:
            if not stat.S_ISDIR(place.stat().st_mode):
                raise NotDirectory(f"{shown(path)}: it exists and is not a directory") from None
        return entry_at(place)


def delete(root: Root, path: bytes, *, recursive: bool) -> bool:
    """Delete ``path``: a file, a symlink itself, or an empty directory.

    With ``recursive`` a directory is deleted with its contents; a symlink to a directory is only a
    symlink. Returns whether anything existed. Raises InvalidArgument for the root, FileSystemError,
    and the errors of ``Root.at``.
    """
    try:
        with root.at(path, follow=False) as place:
            _refuse_root(place)
            _remove(place, recursive=recursive)
    except NotFound:
        return False
    return True


def delete_all(path: bytes) -> bool:
    """Delete an absolute path; a directory with its contents.

    Returns whether anything existed. Raises the errors of ``delete``.
    """
    with Root(b"/") as root:
        return delete(root, path.lstrip(b"/"), recursive=True)


def _remove(place: Place, *, recursive: bool) -> None:
    if not stat.S_ISDIR(place.stat().st_mode):
        os.unlink(place.name, dir_fd=place.directory)
    elif not recursive:
        os.rmdir(place.name, dir_fd=place.directory)
    else:
        top = place.open_directory()
        try:
            # Repeat for directories moved up into `top`, until none was.
            while _empty(top, top, 0):
                pass
        finally:
            os.close(top)
        os.rmdir(place.name, dir_fd=place.directory)


def _empty(directory: int, top: int, depth: int) -> bool:
    """Delete the contents of a directory, following no symlink. Raises OSError.

    Each level costs a descriptor and a stack frame, so directories that are too deep are moved up
    into ``top``. Returns whether any was.
    """
    moved = False
    for name in os.listdir(directory):
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=directory)
        elif depth == _MAX_DEPTH:
            new = f".shellwire-{secrets.token_hex(8)}"
            os.rename(name, new, src_dir_fd=directory, dst_dir_fd=top)
            moved = True
        else:
            below = Place(directory, os.fsencode(name), b"", b"").open_directory()
            try:
                moved |= _empty(below, top, depth + 1)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=directory)
    return moved


def rename(root: Root, path: bytes, new_path: bytes) -> Entry:
    """Rename ``path`` to ``new_path``, replacing an existing file (rename(2)).

    Missing parents of ``new_path`` are made; a symlink is renamed itself. Raises InvalidArgument
    for the root, and the errors of ``Root.at``.
    """
    with root.at(path, follow=False) as old:
        _refuse_root(old)
        old.stat()  # fails before any directory is made
        with root.at(new_path, follow=False, create=True) as new:
            _refuse_root(new)
            with translate_os_errors(new_path):
                os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
            return entry_at(new)


def _refuse_root(place: Place) -> None:
    if place.name == b".":
        raise InvalidArgument("path: the root itself can't be deleted or renamed")
