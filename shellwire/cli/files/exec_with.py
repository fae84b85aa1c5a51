"""``exec --with``: sync directories to copies on the host, before and after a command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import posixpath
from typing import TYPE_CHECKING, Self

import click

from shellwire.cli.errors import Failure
from shellwire.cli.files.applier import make_remote_directory
from shellwire.cli.files.sync import EXIT_CONFLICT, print_error, print_warning
from shellwire.cli.files.sync_pair import SyncOptions, SyncPair
from shellwire.cli.files.sync_report import SyncReport
from shellwire.cli.remote import EXIT_UNAVAILABLE
from shellwire.errors import DeletionRefused, FileSystemError
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.client import Client

COPIES_DIRECTORY = "~/.cache/shellwire/with"
"""The directory on the host that holds the copies."""


class SyncedDirectories:
    """The directories of one command; a context manager. ``cwd`` is the copy of the first one."""

    def __init__(self, client: Client, daemon: str, *, clean: bool) -> None:
        self.cwd = ""
        self._client = client
        self._daemon = daemon
        self._clean = clean
        self._pairs: list[SyncPair] = []
        self._locks = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._locks.aclose()

    async def sync_before(self, directories: tuple[str, ...]) -> None:
        """Sync the directories to their copies.

        Raises Failure if a file has a conflict or can't be copied: the command would run on other
        files than the local ones.
        """
        home = Home.locate()
        # Private files must not become readable for other users of the host.
        copies = await self._client.resolve(COPIES_DIRECTORY)
        await make_remote_directory(self._client, copies, 0o700)
        for each, path in copy_paths(directories).items():
            remote = await self._client.resolve(path)
            self.cwd = self.cwd or remote
            pair = await SyncPair.begin(
                self._client,
                home,
                each,
                remote,
                self._daemon,
                SyncOptions(deletes=True),
                SyncReport(lambda _: None, print_warning, print_error),
            )
            self._pairs.append(pair)
        # Two commands in one copy would sync each other's unfinished changes. All commands take the
        # locks in the same order, so that no two wait for each other.
        for pair in sorted(self._pairs, key=lambda each: each.local):
            await self._locks.enter_async_context(pair.locked())
        for pair in self._pairs:
            await pair.forget_if_remote_missing()
            # The copy is in a cache: files cleared there must not be deleted locally.
            try:
                await pair.sync(restores=True, deletes_many=True)
            except DeletionRefused as error:
                raise Failure(f"{error}, and the command was not run", EXIT_CONFLICT) from error
            if pair.report.conflicts or pair.report.failed:
                raise Failure(
                    f"{pair.local} and its copy {pair.remote} differ: the command was not run",
                    EXIT_CONFLICT if pair.report.conflicts else EXIT_UNAVAILABLE,
                )

    async def sync_after(self) -> bool:
        """Sync the command's changes back; return whether all of them were.

        A copy with changes that were not synced back stays, even with ``clean``.
        """
        is_complete = True
        for pair in self._pairs:
            try:
                # The command may delete any number of files, but not the whole directory.
                await pair.sync(deletes_many=True)
            except DeletionRefused as error:
                print_error(str(error))
                is_complete = False
                continue
            if pair.report.conflicts or pair.report.failed:
                is_complete = False
            elif self._clean:
                await pair.remove_remote()
                with contextlib.suppress(FileSystemError):  # it holds other copies
                    await self._client.remove(posixpath.dirname(pair.remote))
        return is_complete


def copy_paths(directories: Iterable[str]) -> dict[str, str]:
    """Return the path of each directory's copy, by the directory's path without symlinks.

    Copies are side by side. The same directories, in any order, always have the same paths, and so
    have siblings, together or alone. Raises UsageError if two have the same name.
    """
    found = list(dict.fromkeys(map(os.path.realpath, directories)))
    names: dict[str, str] = {}
    for each in found:
        parent, name = os.path.split(each)
        if parent == each:
            raise click.UsageError(f"--with {each}: a whole file system can't be synced.")
        if name in names:
            raise click.UsageError(f"--with: {names[name]} and {each} have the same name.")
        names[name] = each
    parents = {os.path.dirname(each) for each in found}
    # Siblings have one common directory of copies; others have one for each combination.
    key = "\0".join([platform.node(), *(parents if len(parents) == 1 else sorted(found))])
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return {each: f"{COPIES_DIRECTORY}/{digest}/{name}" for name, each in names.items()}
