"""That something happened, told to any number of waiters, each of which keeps its own count."""

import trio


class News:
    """How often something happened. It began with once, so that whoever has seen nothing is never kept waiting."""

    def __init__(self) -> None:
        self._count = 1
        self._came = trio.Event()

    def came(self) -> None:
        """It happened again."""
        self._count += 1
        came, self._came = self._came, trio.Event()
        came.set()

    async def after(self, seen: int) -> int:
        """Wait until it happened more than `seen` times; how often by now."""
        await trio.lowlevel.checkpoint()
        while self._count <= seen:
            await self._came.wait()
        return self._count
