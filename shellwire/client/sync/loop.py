"""An event loop in a thread, for blocking callers."""

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
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="shellwire client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and return its result.

        An interrupt such as Ctrl-C cancels the coroutine and waits for its end. Raises Disconnected
        if the loop was stopped.
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
            if not done.done():  # an interrupt, not an error of the coroutine
                self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                done.exception()
            raise

    def stop(self) -> None:
        """Stop the loop and end the thread."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
