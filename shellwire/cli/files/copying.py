"""A copy as cp(1) and scp(1) understand it: what goes where, and what becomes of errors."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.ends import Here, Node, There, joined
from shellwire.errors import NotRunning, Refusal, Unreachable, WireError
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from shellwire.cli.files.bar import Bar
    from shellwire.client import Client

AT_A_TIME = 4
"""Files that are on their way at a time."""

End = Here | There


class Flags(NamedTuple):
    """What a user has asked for."""

    recursive: bool
    compress: bool
    preserve: bool


class Copying:
    """A copy of some sources to one target. ``failed`` counts what could not be copied."""

    def __init__(self, client: Client, source: End, target: End, flags: Flags, bar: Bar) -> None:
        self.failed = 0
        self._client = client
        self._source = source
        self._target = target
        self._flags = flags
        self._bar = bar
        self._files: list[tuple[Node, str]] = []
        self._made: list[list[tuple[str, Node]]] = []

    async def run(self, sources: tuple[str, ...], target: str) -> None:
        """Copy. Raises Unreachable, NotRunning and Refusal: then there is no use in going on."""
        there = await self._target.find(target)
        into = there is not None and there.is_directory
        words = [each for word in sources for each in await self._source.expand(word)]
        if not into and (len(words) > 1 or target.endswith("/")):
            self._fail(f"{self._target.shown(target)}: is not a directory")
            return
        for word in words:
            await self._attempt(self._plan(word, target, into=into))
        for made in self._made:
            await self._attempt(self._target.make_directories(made, preserve=self._flags.preserve))
        self._bar.expect(sum(node.size for node, _ in self._files))
        await self._copy_all()
        for made in self._made:
            await self._attempt(
                self._target.finish_directories(made, preserve=self._flags.preserve)
            )
        self._bar.clear()

    # What goes where -----------------------------------------------------------------------------

    async def _plan(self, word: str, target: str, *, into: bool) -> None:
        node = await self._source.find(word.rstrip("/") or word[:1])
        if node is None:
            self._fail(f"{self._source.shown(word)}: there is no such file or directory")
            return
        name = os.path.basename(word.rstrip("/"))
        inside = into and name not in ("", ".", "..", "~")
        goal = joined(target, name) if inside else target
        if not node.is_directory:
            if word.endswith("/"):
                self._fail(f"{self._source.shown(word)}: is not a directory")
            else:
                self._files.append((node._replace(path=word), goal))
        elif self._flags.recursive:
            await self._plan_tree(node._replace(path=word), goal)
        else:
            self._fail(f"{self._source.shown(word)}: is a directory (-r copies it)")

    async def _plan_tree(self, top: Node, goal: str) -> None:
        made: list[tuple[str, Node]] = []
        waiting = [(top, goal)]
        while waiting:
            directory, path = waiting.pop()
            found = await self._target.find(path)
            if found is not None and not found.is_directory:
                self._fail(f"{self._target.shown(path)}: is not a directory")
                continue
            if found is None or self._flags.preserve:
                made.append((path, directory))
            try:
                nodes = await self._source.inside(directory.path)
            except (OSError, WireError) as error:
                self._note(error)
                continue
            for node in nodes:
                goes = joined(path, os.path.basename(node.path))
                if node.is_directory and node.is_symlink:
                    shown = self._source.shown(node.path)
                    self._fail(f"{shown}: a symlink to a directory, which is not followed")
                elif node.is_directory:
                    waiting.append((node, goes))
                else:
                    self._files.append((node, goes))
        if made:
            # All are made by one request from the first one on, which has the others in it.
            first = made[0][0]
            inside = [each for each in made if (each[0] + "/").startswith(first.rstrip("/") + "/")]
            self._made.append(inside)
            self._made += [[each] for each in made if each not in inside]

    # Doing it ------------------------------------------------------------------------------------

    async def _copy_all(self) -> None:
        rest = iter(self._files)

        async def work() -> None:
            for node, goal in rest:
                await self._attempt(self._copy(node, goal))

        tasks = [asyncio.create_task(work()) for _ in range(AT_A_TIME)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _copy(self, node: Node, goal: str) -> None:
        name = os.path.basename(node.path)
        before = 0

        def progress(done: int, total: int) -> None:
            nonlocal before
            self._bar.advance(name, done - before)
            before = done

        compress, preserve = self._flags.compress, self._flags.preserve
        if isinstance(self._source, Here):
            await self._client.upload(
                node.path, goal, compress=compress, preserve=preserve, progress=progress
            )
        else:
            await self._client.download(
                node.path, goal, compress=compress, preserve=preserve, progress=progress
            )

    # What goes wrong -----------------------------------------------------------------------------

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            self._note(error)

    def _note(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.strerror:
            where = os.fsdecode(error.filename) if error.filename else "here"
            self._fail(f"{printable(where)}: {error.strerror.lower()}")
        else:
            self._fail(printable(str(error)))

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self._bar.tell(f"Error: {reason}")
