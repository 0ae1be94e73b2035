"""Jira's bench: a project at a fake of Jira Cloud on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import trio

from supervisor.adapters.kanban.jira import JiraBoard
from supervisor.adapters.kanban.jira.adf import to_adf
from supervisor.domain.config import CollectionConfig
from supervisor.domain.ticket import BoardState
from supervisor.ports import KanbanProvider
from tests.fakes.boards.jira.server import EMAIL, TOKEN, Jira, jira


class JiraBench:
    keeps_tickets = False
    rings = False
    _statuses: ClassVar = {
        BoardState.OPEN: "To Do",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Won't Do",
    }

    def __init__(self, server: Jira) -> None:
        self._server = server
        self._config = CollectionConfig("jira", base_url=server.base_url, email=EMAIL, key="ENG")
        self.board = JiraBoard("jira", self._config, TOKEN)
        self.provider: KanbanProvider = self.board

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        await trio.lowlevel.checkpoint()
        return self._server.person.add(title, _typed(body), labels=list(labels))

    async def move(self, external_id: str, state: BoardState) -> None:
        await trio.lowlevel.checkpoint()
        self._server.person.move(external_id, self._statuses[state])

    async def remove(self, external_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self._server.person.delete(external_id)

    async def unplug(self) -> None:
        await trio.lowlevel.checkpoint()
        self._server.trouble("cut_before", 20)


def _typed(body: str) -> dict[str, Any] | None:
    """The document of a person who types this into Jira's editor, which keeps spaces at a text's end."""
    document = to_adf(body)
    spaces = body[len(body.rstrip(" ")) :]
    if spaces and document["content"]:
        document["content"][-1]["content"][-1]["text"] += spaces
    return document if document["content"] else None


@asynccontextmanager
async def jira_bench(tmp_path: Path) -> AsyncIterator[JiraBench]:
    async with jira() as server:
        bench = JiraBench(server)
        try:
            yield bench
        finally:
            await bench.board.aclose()
