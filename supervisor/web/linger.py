"""Servers that say goodbye: when they are cancelled, what they serve has a moment to end by itself."""

from collections.abc import Awaitable
from typing import Protocol

import trio

LONGEST = 0.9
"""Seconds after which whatever still serves is cut off."""


class Stoppable(Protocol):
    def __call__(self, stopping: trio.Event, task_status: trio.TaskStatus[None]) -> Awaitable[None]: ...


async def until_cancelled(serve: Stoppable, *, task_status: trio.TaskStatus[None]) -> None:
    """Run `serve` until this is cancelled; it then finds `stopping` set and has `LONGEST` seconds to return.

    Cancellation reaches a sentinel only: it would otherwise cut off every connection at the same moment.
    """
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope(shield=True) as fence:

            async def sentinel() -> None:
                try:
                    await trio.sleep_forever()
                finally:
                    stopping.set()
                    fence.deadline = trio.current_time() + LONGEST

            nursery.start_soon(sentinel)
            await serve(stopping, task_status)
        nursery.cancel_scope.cancel()
