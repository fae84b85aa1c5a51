"""A temporary daemon for one block, in a home of its own that is deleted afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from shellwire.client.endpoint import Endpoint
from shellwire.errors import StartError
from shellwire.home.paths import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

C = TypeVar("C", bound="AbstractAsyncContextManager[Any]")

START_SECONDS = 30.0
"""Seconds that the daemon may take to start."""

STOP_SECONDS = 20.0
"""Seconds that the daemon may take to end its jobs and itself before it is killed."""

_ANNOUNCEMENT = b" listens at "
_FLAGS = ("--port", "0", "--login-env", "never", "--grace", "0")


@contextlib.asynccontextmanager
async def connected(at: Callable[[Endpoint, str], C], flags: tuple[str, ...]) -> AsyncIterator[C]:
    """Run a daemon for the block; yield a client of it, made by ``at``. Raises StartError."""
    async with daemon(flags) as endpoint:
        client = at(endpoint, "python")
        async with client:
            yield client


@contextlib.asynccontextmanager
async def daemon(flags: tuple[str, ...] = ()) -> AsyncIterator[Endpoint]:
    """Run a daemon on a free port for the block; yield its endpoint. Raises StartError.

    It gets this process's environment, without ``SHELLWIRE_…``, and working directory. All
    processes of its jobs end with it.
    """
    root = tempfile.mkdtemp(prefix="shellwire-")
    try:
        process = await _start(Path(root), flags)
        try:
            await _await_announcement(process, Path(root))
            yield Endpoint(home=Home(Path(root)))
        finally:
            await _stop(process)
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _start(root: Path, flags: tuple[str, ...]) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if "SHELLWIRE_" not in name}
    try:
        with (root / "stderr").open("wb") as stderr:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "shellwire", "run", *_FLAGS, *flags),
                env={**environ, "SHELLWIRE_HOME": str(root)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                # Keep Ctrl-C in the terminal from the daemon: this process shuts it down in order.
                start_new_session=True,
            )
    except OSError as error:
        raise StartError(f"can't start a daemon: {error.strerror}") from error


async def _await_announcement(process: asyncio.subprocess.Process, root: Path) -> None:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
    except TimeoutError:
        raise StartError(f"the daemon has not started within {START_SECONDS:g} s") from None
    if _ANNOUNCEMENT not in line:
        await process.wait()
        said = (root / "stderr").read_text(errors="replace").strip().splitlines()
        reason = said[-1].removeprefix("Error: ") if said else f"it exited {process.returncode}"
        raise StartError(f"the daemon has not started: {reason}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
