"""GitHub's benches for the boards' contract suite: plain issues, and a project."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import trio

from supervisor.adapters.kanban.github import GitHubBoard
from supervisor.domain.config import CollectionConfig
from supervisor.domain.ticket import BoardState
from supervisor.ports import KanbanProvider
from tests.fakes.boards.github import TOKEN, Hub, Issue, Item, serving


class PlainBench:
    """The plain issues of a repository."""

    keeps_tickets = False
    rings = False

    def __init__(self, hub: Hub, board: GitHubBoard) -> None:
        self.hub = hub
        self.board = board
        self.provider: KanbanProvider = board
        self._issues: dict[str, Issue] = {}

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        await trio.lowlevel.checkpoint()
        issue = self.hub.person.add(title, body, labels=labels)
        external = f"{issue.id}/{issue.number}"
        self._issues[external] = issue
        return external

    async def move(self, external_id: str, state: BoardState) -> None:
        await trio.lowlevel.checkpoint()
        issue, person = self._issues[external_id], self.hub.person
        match state:
            case BoardState.DONE:
                person.close(issue)
            case BoardState.CANCELLED:
                person.close(issue, "not_planned")
            case BoardState.IN_PROGRESS:
                person.relabel(issue, *issue.labels, "In Progress")
            case BoardState.OPEN:
                person.reopen(issue)

    async def remove(self, external_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self.hub.person.delete(self._issues[external_id])

    async def unplug(self) -> None:
        await trio.lowlevel.checkpoint()
        self.hub.trouble("cut before", times=1_000)


class ProjectBench:
    """The items of a project."""

    keeps_tickets = False
    rings = False
    _columns: ClassVar = {
        BoardState.OPEN: "Todo",
        BoardState.IN_PROGRESS: "In Progress",
        BoardState.DONE: "Done",
        BoardState.CANCELLED: "Cancelled",
    }

    def __init__(self, hub: Hub, board: GitHubBoard) -> None:
        self.hub = hub
        self.board = board
        self.provider: KanbanProvider = board
        self._items: dict[str, Item] = {}

    async def add(self, title: str, body: str = "", *, labels: tuple[str, ...] = ()) -> str:
        await trio.lowlevel.checkpoint()
        item = self.hub.person.put(self.hub.person.add(title, body, labels=labels))
        self._items[item.node_id] = item
        return item.node_id

    async def move(self, external_id: str, state: BoardState) -> None:
        await trio.lowlevel.checkpoint()
        self.hub.person.move(self._items[external_id], self._columns[state])

    async def remove(self, external_id: str) -> None:
        await trio.lowlevel.checkpoint()
        self.hub.person.take_out(self._items[external_id])

    async def unplug(self) -> None:
        await trio.lowlevel.checkpoint()
        self.hub.trouble("cut before", times=1_000)


def github_board(config: CollectionConfig) -> GitHubBoard:
    return GitHubBoard("github", config, TOKEN, types=("FEAT", "FIX", "TASK"))


@asynccontextmanager
async def github_issues(tmp_path: Path) -> AsyncIterator[PlainBench]:
    async with serving() as hub:
        board = github_board(CollectionConfig("github", base_url=hub.url, repo="acme/api"))
        yield PlainBench(hub, board)
        await board.aclose()


@asynccontextmanager
async def github_project(tmp_path: Path) -> AsyncIterator[ProjectBench]:
    async with serving() as hub:
        board = github_board(CollectionConfig("github", base_url=hub.url, board="acme/7"))
        yield ProjectBench(hub, board)
        await board.aclose()
