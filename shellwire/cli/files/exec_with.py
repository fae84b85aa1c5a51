"""Directories that a command takes along: their copies there, before and after it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import posixpath
from typing import TYPE_CHECKING, Self

import click

from shellwire.cli.errors import Failure
from shellwire.cli.files.changes import make_there
from shellwire.cli.files.sync import CONFLICT, fail, warn
from shellwire.cli.files.syncing import Syncing, Wanted
from shellwire.cli.remote import TROUBLE
from shellwire.errors import DeletionRefused, FileSystemError
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shellwire.client import Client

WHERE = "~/.cache/shellwire/with"
"""The directory there that has the copies."""


class Work:
    """The directories of one command, in a block. ``cwd`` is the first one's copy there."""

    def __init__(self, client: Client, daemon: str, *, clean: bool) -> None:
        self.cwd = ""
        self._client = client
        self._daemon = daemon
        self._clean = clean
        self._syncings: list[Syncing] = []
        self._alone = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._alone.aclose()

    async def take_up(self, directories: tuple[str, ...]) -> None:
        """Make the copies like the directories here.

        Raises Failure if one has changed on both sides, or can't be copied whole: then what runs
        there would not see what is here.
        """
        home = Home.locate()
        # What is private here is not to be read there by everybody.
        await make_there(self._client, await self._client.resolve(WHERE), 0o700)
        for each, place in places(directories).items():
            there = await self._client.resolve(place)
            self.cwd = self.cwd or there
            syncing = await Syncing.begin(
                self._client,
                home,
                each,
                there,
                self._daemon,
                Wanted(deletes=True),
                say=lambda _: None,
                warn=warn,
                fail=fail,
            )
            self._syncings.append(syncing)
        # Two commands in one copy would see, and bring back, what the other has half done. All take
        # the locks in one order, or two could wait for each other.
        for syncing in sorted(self._syncings, key=lambda each: each.here):
            await self._alone.enter_async_context(syncing.alone())
        for syncing in self._syncings:
            await syncing.begin_anew_if_gone_there()
            # It is in a cache: who has cleared some of that did not mean what is here.
            try:
                await syncing.once(restores=True, deletes_many=True)
            except DeletionRefused as error:
                raise Failure(f"{error}, nothing is run", CONFLICT) from error
            if syncing.conflicts or syncing.failed:
                raise Failure(
                    f"{syncing.here} and its copy in {syncing.there} differ: nothing is run",
                    CONFLICT if syncing.conflicts else TROUBLE,
                )

    async def bring_back(self) -> bool:
        """Take here what the command has made, changed or deleted; return whether all of it came.

        A copy of which something did not come stays, also if all were to be removed.
        """
        whole = True
        for syncing in self._syncings:
            try:
                # What the command has deleted it may have deleted, but for the directory itself.
                await syncing.once(deletes_many=True)
            except DeletionRefused as error:
                fail(str(error))
                whole = False
                continue
            if syncing.conflicts or syncing.failed:
                whole = False
            elif self._clean:
                await syncing.clean()
                with contextlib.suppress(FileSystemError):  # others' copies are there
                    await self._client.remove(posixpath.dirname(syncing.there))
        return whole


def places(directories: Iterable[str]) -> dict[str, str]:
    """Return each directory, without symlinks, and where its copy is: beside the others' copies.

    The same ones have the same place each time, in whatever order, and so have neighbours together
    or alone. Raises UsageError if that can't be.
    """
    found = list(dict.fromkeys(map(os.path.realpath, directories)))
    names: dict[str, str] = {}
    for each in found:
        parent, name = os.path.split(each)
        if parent == each:
            raise click.UsageError(f"--with {each}: a whole file system can't be taken along.")
        if name in names:
            raise click.UsageError(f"--with: {names[name]} and {each} have the same name.")
        names[name] = each
    parents = {os.path.dirname(each) for each in found}
    # What is beside each other here is so there in any case; others only for such a command.
    named = "\0".join([platform.node(), *(parents if len(parents) == 1 else sorted(found))])
    beside = hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return {each: f"{WHERE}/{beside}/{name}" for name, each in names.items()}
