"""Copy files and trees as cp(1) and scp(1) do: which file goes where, and what fails."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, NamedTuple

from shellwire.cli.files.concurrency import for_each
from shellwire.cli.files.stream_target import open_stream_target
from shellwire.cli.files.trees import LocalTree, Node, RemoteTree, contains, join_path
from shellwire.errors import NotRunning, Refusal, Unreachable, WireError
from shellwire.output import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from shellwire.cli.files.progress import ProgressBar

Tree = LocalTree | RemoteTree


class CopyOptions(NamedTuple):
    """Options of a copy."""

    recursive: bool
    compress: bool
    preserve: bool


class Source(NamedTuple):
    """One source, after expansion of patterns."""

    tree: Tree
    path: str
    name: str
    """Its name in a target directory."""


class Copying:
    """A copy of some sources to one target. ``failed`` counts the files that failed."""

    def __init__(self, target: Tree, options: CopyOptions, bar: ProgressBar) -> None:
        self.failed = 0
        self._target = target
        self._options = options
        self._bar = bar
        self._files: list[tuple[Tree, Node, str]] = []
        self._new_directories: list[list[tuple[str, Node]]] = []
        self._copied: dict[str, set[str]] = {}
        """Names of completely copied files, by directory."""

    async def run(self, sources: Sequence[tuple[Tree, str]], target: str) -> None:
        """Copy. Raises Unreachable, NotRunning and Refusal; other errors fail one file only."""
        path = await self._target.normalized(target)
        found = await self._target.find(path.rstrip("/") or path[:1])
        into = found is not None and found.is_directory
        expanded: list[Source] = []
        for tree, source in sources:
            await self._attempt(self._expand(tree, source, expanded))
        many = len(sources) > 1 or len(expanded) > 1 or target.endswith("/")
        if not into and not await self._can_create(target, path, found, is_directory=many):
            return
        for each in expanded:
            await self._attempt(self._plan(each, path, into=into))
        preserve = self._options.preserve
        for directories in self._new_directories:
            await self._attempt(self._target.make_directories(directories, preserve=preserve))
        self._bar.add_total(sum(node.size for _, node, _ in self._files))
        await self._copy_all()
        for directory, names in self._copied.items():
            await self._attempt(self._target.remove_leftovers(directory, names))
        for directories in self._new_directories:
            await self._attempt(self._target.finish_directories(directories, preserve=preserve))
        self._bar.erase()

    # Planning ------------------------------------------------------------------------------------

    async def _can_create(
        self, target: str, path: str, found: Node | None, *, is_directory: bool
    ) -> bool:
        """Whether the copy can have this name; as with scp its parent directory must exist."""
        shown = self._target.shown(target)
        if is_directory and found is not None:
            self._fail(f"{shown}: is not a directory")
            return False
        parent = path.rstrip("/") if is_directory else self._target.parent(path)
        holder = None if is_directory else await self._target.find(parent)
        if holder is None:
            self._fail(f"{shown}: there is no directory {printable(parent)}")
        elif not holder.is_directory:
            self._fail(f"{shown}: {printable(parent)} is not a directory")
        return holder is not None and holder.is_directory

    async def _expand(self, tree: Tree, source: str, expanded: list[Source]) -> None:
        last = os.path.basename(source.rstrip("/"))
        found = await tree.expand(await tree.normalized(source))
        # A path that ends in `..` names no file: the directory's entries are copied.
        expanded += [
            Source(tree, each, last if last == ".." else os.path.basename(each.rstrip("/")))
            for each in found
        ]

    async def _plan(self, source: Source, target: str, *, into: bool) -> None:
        tree, path, name = source
        node = await tree.find(path.rstrip("/") or path[:1])
        if node is None:
            self._fail(f"{tree.shown(path)}: there is no such file or directory")
            return
        inside = into and name not in ("", ".", "..", "~")
        goal = join_path(target, name) if inside else target
        if not node.is_directory:
            if path.endswith("/"):
                self._fail(f"{tree.shown(path)}: is not a directory")
            else:
                self._files.append((tree, node._replace(path=path), goal))
        elif self._options.recursive:
            await self._plan_tree(tree, node._replace(path=path), goal)
        else:
            self._fail(f"{tree.shown(path)}: is a directory (-r copies it)")

    async def _plan_tree(self, tree: Tree, top: Node, goal: str) -> None:
        new: list[tuple[str, Node]] = []
        # Each directory with its target and the real paths of itself and its ancestors.
        waiting: list[tuple[Node, str, tuple[str, ...]]] = [
            (top, goal, (await tree.real(top.path),))
        ]
        while waiting:
            directory, path, chain = waiting.pop()
            found = await self._target.find(path)
            if found is not None and not found.is_directory:
                self._fail(f"{self._target.shown(path)}: is not a directory")
                continue
            if found is None or self._options.preserve:
                new.append((path, directory))
            try:
                nodes = await tree.children(directory.path)
            except (OSError, WireError) as error:
                self._report(error)
                continue
            for node in nodes:
                name = os.path.basename(node.path)
                if not node.is_directory:
                    self._files.append((tree, node, join_path(path, name)))
                    continue
                real = join_path(chain[-1], name)
                if node.is_symlink:
                    real = await tree.real(node.path)
                if any(contains(real, each) for each in chain):
                    self._fail(f"{tree.shown(node.path)}: leads to a directory that contains it")
                else:
                    waiting.append((node, join_path(path, name), (*chain, real)))
        if new:
            # The first directory and all below it are created by one request.
            first = new[0][0]
            inside = [each for each in new if (each[0] + "/").startswith(first.rstrip("/") + "/")]
            self._new_directories.append(inside)
            self._new_directories += [[each] for each in new if each not in inside]

    # Copying -------------------------------------------------------------------------------------

    async def _copy_all(self) -> None:
        async def copy(one: tuple[Tree, Node, str]) -> None:
            await self._attempt(self._copy_named(*one))

        await for_each(copy, self._files)

    async def _copy_named(self, source: Tree, node: Node, goal: str) -> None:
        """Copy a file; if an OSError names no file, add the name of the local file."""
        try:
            await self._copy(source, node, goal)
        except OSError as error:
            if error.filename is None:
                error.filename = node.path if isinstance(source, LocalTree) else goal
            raise

    async def _copy(self, source: Tree, node: Node, goal: str) -> None:
        from shellwire.client.files.relay import relay

        name = os.path.basename(node.path)
        before = 0

        def progress(done: int, total: int) -> None:
            nonlocal before
            self._bar.advance(name, done - before)
            before = done

        compress, preserve = self._options.compress, self._options.preserve
        if isinstance(self._target, LocalTree):
            assert isinstance(source, RemoteTree), "copies between local paths are refused"
            stream = await asyncio.to_thread(open_stream_target, goal)
            if stream is not None:
                with stream:
                    await source.client.download_into(
                        node.path, stream, compress=compress, progress=progress
                    )
                return
            await source.client.download(
                node.path, goal, compress=compress, preserve=preserve, progress=progress
            )
        elif isinstance(source, LocalTree):
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
        self._copied.setdefault(directory, set()).add(name)

    # Errors --------------------------------------------------------------------------------------

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (Unreachable, NotRunning, Refusal):
            raise
        except (OSError, WireError) as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.strerror:
            path = os.fsdecode(error.filename) if error.filename else "here"
            self._fail(f"{printable(path)}: {error.strerror.lower()}")
        else:
            self._fail(printable(str(error)))

    def _fail(self, reason: str) -> None:
        self.failed += 1
        self._bar.print_line(f"Error: {reason}")
