"""Keys go in one after the other: what a program draws in between is not taken for what is waited for."""

from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisor.actors.session.typist import Typist
from supervisor.domain.ids import DeliveryId


class Terminal:
    """A session and its driver in one: what a typist needs of both ports."""

    clear_keys = ("C-c",)
    exit = lost = None

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.end = 0
        both: Any = self
        self.typist = Typist(both, both)

    async def screen(self, *, styled: bool = False) -> str:
        await trio.lowlevel.checkpoint()
        return ""

    def composer(self, screen: str) -> str | None:
        return self.text

    async def press(self, *keys: str) -> None:
        await trio.lowlevel.checkpoint()

    async def type(self, delivery_id: DeliveryId, text: str) -> None:
        await trio.lowlevel.checkpoint()

    async def draw(self, text: str | None) -> None:
        """Have the composer look so, and let the typist see it."""
        self.text, self.end = text, self.end + 1
        self.typist.grown.ring()
        await wait_all_tasks_blocked()


async def test_only_a_text_in_the_composer_is_the_echo_of_a_paste(mock_clock: MockClock) -> None:
    terminal, done = Terminal(None), trio.Event()  # it is being drawn anew

    async def paste() -> None:
        await terminal.typist.paste(DeliveryId("A-1~1.1"), "Go on.")
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(paste)
        await wait_all_tasks_blocked()
        for between in ("", None, ""):
            await terminal.draw(between)
            assert not done.is_set()
        await terminal.draw("Go on.")
        assert done.is_set()


async def test_a_composer_is_cleared_when_it_is_there_and_empty(mock_clock: MockClock) -> None:
    terminal, done = Terminal("put back"), trio.Event()

    async def clear() -> None:
        await terminal.typist.clear()
        done.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(clear)
        await wait_all_tasks_blocked()
        for between in ("back", None):
            await terminal.draw(between)
            assert not done.is_set()
        await terminal.draw("")
        assert done.is_set()
