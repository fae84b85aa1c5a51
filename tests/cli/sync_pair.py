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
    """Sync; return the exit code, and what was said and warned of, sorted."""
    here, there = sides
    done = box("sync", *flags, str(here), f"box:{there}")
    return done.returncode, sorted(done.stdout.splitlines()), sorted(done.stderr.splitlines())


def names(directory: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def links_in(directory: Path) -> dict[str, str]:
    """Return what the symlinks in a directory say."""
    return {
        str(path.relative_to(directory)): os.readlink(path)
        for path in directory.rglob("*")
        if path.is_symlink()
    }


def sha256(text: str) -> str:
    """Return the hash as a manifest has it."""
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_of(box: CommandLine, sides: tuple[Path, Path]) -> Manifest:
    """Return the manifest of a sync of these two."""
    here, there = sides
    return Manifest(box.home, str(here), load_hosts(box.home)["box"].url, str(there))


def contents(directory: Path) -> dict[str, tuple[str, int]]:
    """Return what is in the files of a directory, and whether they can be executed."""
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mode & stat.S_IXUSR)
        for path in directory.rglob("*")
        if path.is_file()
    }
