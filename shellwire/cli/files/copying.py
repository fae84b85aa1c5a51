"""A copy as cp(1) and scp(1) understand it: what goes where, and what becomes of errors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.ends import Here, Node, There, holds, joined
from shellwire.cli.files.several import several
from shellwire.errors import NotRunning, Refusal, Unreachable, WireError
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from shellwire.cli.files.bar import Bar

End = Here | There


class Flags(NamedTuple):
    """What a user has asked for."""

    recursive: bool
    compress: bool
    preserve: bool


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
        there = await self._target.find(goal)
        into = there is not None and there.is_directory
        words: list[tuple[End, str]] = []
        for source, word in sources:
            await self._attempt(self._expand(source, word, words))
        if not into and (len(sources) > 1 or len(words) > 1 or target.endswith("/")):
            self._fail(f"{self._target.shown(target)}: is not a directory")
            return
        for source, word in words:
            await self._attempt(self._plan(source, word, goal, into=into))
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

    async def _expand(self, source: End, word: str, words: list[tuple[End, str]]) -> None:
        words += [(source, each) for each in await source.expand(await source.straight(word))]

    async def _plan(self, source: End, word: str, target: str, *, into: bool) -> None:
        node = await source.find(word.rstrip("/") or word[:1])
        if node is None:
            self._fail(f"{source.shown(word)}: there is no such file or directory")
            return
        name = os.path.basename(word.rstrip("/"))
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
            await self._attempt(self._copy(*one))

        await several(copy, self._files)

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
