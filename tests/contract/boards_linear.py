"""Linear's bench: a team at a fake of Linear on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import trio

from supervisor.adapters.kanban.linear import LinearBoard
from supervisor.domain.config import CollectionConfig
from supervisor.domain.ticket import BoardState
from supervisor.ports import KanbanProvider
from tests.fakes.boards.linear.server import KEY, Linear, linear


class LinearBench:
    keeps_tickets = False
    rings = False
    _states: ClassVar = {
        BoardState.OPEN: "Todo",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Canceled",
    }

    def __init__(self, server: Linear) -> None:
        self._server = server
        self._config = CollectionConfig("linear", base_url=server.url, team="ENG")
        self.board = LinearBoard("linear", self._config, KEY)
        self.provider: KanbanProvider = self.board

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        await trio.lowlevel.checkpoint()
        return self._server.person.add(title, body, labels=labels)

    async def move(self, external_id: str, state: BoardState) -> None:
        await trio.lowlevel.checkpoint()
        self._server.person.move(external_id, self._states[state])

    async def remove(self, external_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._server.person.delete(external_id)

    async def unplug(self) -> None:
        await trio.lowlevel.checkpoint()
        self._server.trouble("cut_before", times=20)


@asynccontextmanager
async def linear_bench(tmp_path: Path) -> AsyncIterator[LinearBench]:
    async with linear() as server:
        bench = LinearBench(server)
        try:
            yield bench
        finally:
            await bench.board.aclose()
