"""A copy as cp(1) and scp(1) understand it: what goes where, and what becomes of errors."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.concurrency import several
from shellwire.cli.files.passage import passage_to
from shellwire.cli.files.trees import Here, Node, There, holds, joined
from shellwire.errors import NotRunning, Refusal, Unreachable, WireError
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from shellwire.cli.files.progress import Bar

End = Here | There


class Flags(NamedTuple):
    """What a user has asked for."""

    recursive: bool
    compress: bool
    preserve: bool


class Word(NamedTuple):
    """A source as it is meant: where it is, and what a copy of it in a directory is called."""

    end: End
    path: str
    name: str


class Copying:
    """A copy of some sources to one target. ``failed`` counts what could not be copied."""

    def __init__(self, target: End, flags: Flags, bar: Bar) -> None:
        self.failed = 0
        self._target = target
        self._flags = flags
        self._bar = bar
        self._files: list[tuple[End, Node, str]] = []
        self._made: list[list[tuple[str, Node]]] = []
        self._arrived: dict[str, set[str]] = {}
        """Names of files that are whole, by directory."""

    async def run(self, sources: Sequence[tuple[End, str]], target: str) -> None:
        """Copy. Raises Unreachable, NotRunning and Refusal: then there is no use in going on."""
        goal = await self._target.straight(target)
        there = await self._target.find(goal.rstrip("/") or goal[:1])
        into = there is not None and there.is_directory
        words: list[Word] = []
        for source, word in sources:
            await self._attempt(self._expand(source, word, words))
        many = len(sources) > 1 or len(words) > 1 or target.endswith("/")
        if not into and not await self._may_be_made(target, goal, there, is_directory=many):
            return
        for each in words:
            await self._attempt(self._plan(each, goal, into=into))
        for made in self._made:
            await self._attempt(self._target.make_directories(made, preserve=self._flags.preserve))
        self._bar.expect(sum(node.size for _, node, _ in self._files))
        await self._copy_all()
        for directory, names in self._arrived.items():
            await self._attempt(self._target.sweep(directory, names))
        for made in self._made:
            await self._attempt(
                self._target.finish_directories(made, preserve=self._flags.preserve)
            )
        self._bar.clear()

    # What goes where -----------------------------------------------------------------------------

    async def _may_be_made(
        self, target: str, goal: str, there: Node | None, *, is_directory: bool
    ) -> bool:
        """Whether the copy can have this name; as with scp its directory has to be there."""
        shown = self._target.shown(target)
        if is_directory and there is not None:
            self._fail(f"{shown}: is not a directory")
            return False
        holder = goal.rstrip("/") if is_directory else self._target.parent(goal)
        found = None if is_directory else await self._target.find(holder)
        if found is None:
            self._fail(f"{shown}: there is no directory {printable(holder)}")
        elif not found.is_directory:
            self._fail(f"{shown}: {printable(holder)} is not a directory")
        return found is not None and found.is_directory

    async def _expand(self, source: End, word: str, words: list[Word]) -> None:
        last = os.path.basename(word.rstrip("/"))
        found = await source.expand(await source.straight(word))
        # What ends with .. names no file: it is what is in there that is copied.
        words += [
            Word(source, each, last if last == ".." else os.path.basename(each.rstrip("/")))
            for each in found
        ]

    async def _plan(self, given: Word, target: str, *, into: bool) -> None:
        source, word, name = given
        node = await source.find(word.rstrip("/") or word[:1])
        if node is None:
            self._fail(f"{source.shown(word)}: there is no such file or directory")
            return
        inside = into and name not in ("", ".", "..", "~")
        goal = joined(target, name) if inside else target
        if not node.is_directory:
            if word.endswith("/"):
                self._fail(f"{source.shown(word)}: is not a directory")
            else:
                self._files.append((source, node._replace(path=word), goal))
        elif self._flags.recursive:
            await self._plan_tree(source, node._replace(path=word), goal)
        else:
            self._fail(f"{source.shown(word)}: is a directory (-r copies it)")

    async def _plan_tree(self, source: End, top: Node, goal: str) -> None:
        made: list[tuple[str, Node]] = []
        # Each with where it really is, and where all that it is in are.
        waiting: list[tuple[Node, str, tuple[str, ...]]] = [
            (top, goal, (await source.real(top.path),))
        ]
        while waiting:
            directory, path, chain = waiting.pop()
            found = await self._target.find(path)
            if found is not None and not found.is_directory:
                self._fail(f"{self._target.shown(path)}: is not a directory")
                continue
            if found is None or self._flags.preserve:
                made.append((path, directory))
            try:
                nodes = await source.inside(directory.path)
            except (OSError, WireError) as error:
                self._note(error)
                continue
            for node in nodes:
                name = os.path.basename(node.path)
                if not node.is_directory:
                    self._files.append((source, node, joined(path, name)))
                    continue
                real = joined(chain[-1], name)
                if node.is_symlink:
                    real = await source.real(node.path)
                if any(holds(real, each) for each in chain):
                    self._fail(f"{source.shown(node.path)}: leads to a directory that it is in")
                else:
                    waiting.append((node, joined(path, name), (*chain, real)))
        if made:
            # All are made by one request from the first one on, which has the others in it.
            first = made[0][0]
            inside = [each for each in made if (each[0] + "/").startswith(first.rstrip("/") + "/")]
            self._made.append(inside)
            self._made += [[each] for each in made if each not in inside]

    # Doing it ------------------------------------------------------------------------------------

    async def _copy_all(self) -> None:
        async def copy(one: tuple[End, Node, str]) -> None:
            await self._attempt(self._named(*one))

        await several(copy, self._files)

    async def _named(self, source: End, node: Node, goal: str) -> None:
        """Copy one; an error of the system that names no file is told of the one that is here."""
        try:
            await self._copy(source, node, goal)
        except OSError as error:
            if error.filename is None:
                error.filename = node.path if isinstance(source, Here) else goal
            raise

    async def _copy(self, source: End, node: Node, goal: str) -> None:
        from shellwire.client.files.relay import relay

        name = os.path.basename(node.path)
        before = 0

        def progress(done: int, total: int) -> None:
            nonlocal before
            self._bar.advance(name, done - before)
            before = done

        compress, preserve = self._flags.compress, self._flags.preserve
        if isinstance(self._target, Here):
            assert isinstance(source, There), "from here to here is refused"
            passage = await asyncio.to_thread(passage_to, goal)
            if passage is not None:
                with passage:
                    await source.client.download_into(
                        node.path, passage, compress=compress, progress=progress
                    )
                return
            await source.client.download(
                node.path, goal, compress=compress, preserve=preserve, progress=progress
            )
        elif isinstance(source, Here):
            await self._target.client.upload(
                node.path, goal, compress=compress, preserve=preserve, progress=progress
            )
        else:
            await relay(
                source.client,
                node.path,
                self._target.client,
                goal,
                compress=compress,
                preserve=preserve,
                progress=progress,
            )
        directory, name = os.path.split(goal)
        self._arrived.setdefault(directory, set()).add(name)

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
