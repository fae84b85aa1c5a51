"""The same for many things, several of them at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

_T = TypeVar("_T")


async def several(
    work: Callable[[_T], Awaitable[None]], things: Iterable[_T], at_a_time: int = 4
) -> None:
    """Do ``work`` for each of ``things``, in their order. What it raises first ends it all."""
    rest = iter(things)

    async def lane() -> None:
        for thing in rest:
            await work(thing)

    tasks = [asyncio.create_task(lane()) for _ in range(at_a_time)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
