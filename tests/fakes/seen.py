"""What a test saw, in order, and waiting for more of it without polling."""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")
WITHIN = 20.0
"""Seconds that a test waits for anything."""


class Seen(Generic[T]):
    """Entries in the order they came."""

    def __init__(self) -> None:
        self.entries: list[T] = []
        self._moved = trio.Event()

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, entry: T) -> None:
        self.entries.append(entry)
        self.touch()

    def touch(self) -> None:
        """Wake who waits: an entry came, or one changed."""
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    async def until(self, met: Callable[[T], bool], *, since: int = 0, within: float = WITHIN) -> T:
        """The first entry from index `since` on that is meant, come or still to come."""
        with trio.move_on_after(within):
            while True:
                moved = self._moved
                for entry in self.entries[since:]:
                    if met(entry):
                        return entry
                await moved.wait()
        came = "\n".join(str(entry)[:400] for entry in self.entries[since:])
        raise AssertionError(f"it did not come within {within} s; what came:\n{came}")
