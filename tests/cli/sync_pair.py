"""Helpers for tests of sync: run it, list and compare two directories."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

from shellwire.cli.files.manifest import Manifest
from shellwire.home.hosts import load_hosts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command_line import CommandLine


def sync(
    box: CommandLine, sides: tuple[Path, Path], *flags: str
) -> tuple[int, list[str], list[str]]:
    """Sync; return the exit code and the sorted lines of stdout and stderr."""
    here, there = sides
    done = box("sync", *flags, str(here), f"box:{there}")
    return done.returncode, sorted(done.stdout.splitlines()), sorted(done.stderr.splitlines())


def names(directory: Path) -> list[str]:
    """Return the relative paths of everything below a directory, sorted."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def links_in(directory: Path) -> dict[str, str]:
    """Return the targets of the symlinks below a directory."""
    return {
        str(path.relative_to(directory)): os.readlink(path)
        for path in directory.rglob("*")
        if path.is_symlink()
    }


def sha256(text: str) -> str:
    """Return the hash of a file with this text, as stored in a manifest."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_of(box: CommandLine, sides: tuple[Path, Path]) -> Manifest:
    """Return the manifest of a sync of these two directories."""
    here, there = sides
    return Manifest(box.home, str(here), load_hosts(box.home)["box"].url, str(there))


def contents(directory: Path) -> dict[str, tuple[str, int]]:
    """Return the text of each file below a directory, and whether its owner may execute it."""
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mode & stat.S_IXUSR)
        for path in directory.rglob("*")
        if path.is_file()
    }
