"""An event loop in a thread, and a way to have it do something and wait."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from shellwire.errors import Disconnected

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="shellwire client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what ``work`` does. What interrupts this cancels it, and waits for that.

        Raises Disconnected when it was stopped.
        """
        if self._loop.is_closed():
            work.close()
            raise Disconnected("this client is closed")
        done: Future[T] = Future()
        tasks: list[asyncio.Task[None]] = []

        async def finish() -> None:
            try:
                done.set_result(await work)
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(lambda: tasks.append(self._loop.create_task(finish())))
        try:
            return done.result()
        except BaseException:
            if not done.done():  # Ctrl-C, not an error of the work
                self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                done.exception()
            raise

    def stop(self) -> None:
        """End the thread."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
