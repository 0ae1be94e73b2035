"""One collection: its provider, and the tasks that read and write it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

from supervisor.actors.kit import Clock
from supervisor.actors.queue import Queue
from supervisor.actors.store import Store
from supervisor.actors.sync.reading import Reading
from supervisor.actors.sync.rereading import Rereads
from supervisor.actors.sync.standing import Standing
from supervisor.actors.sync.telling import Teller
from supervisor.actors.sync.writing import WRITE_DEADLINE, Writing
from supervisor.domain import board_config
from supervisor.domain.config import CollectionConfig
from supervisor.domain.views import CollectionView
from supervisor.ports import Edit, KanbanProvider, NewTicket


class Board:
    """The parts of one collection, joined."""

    def __init__(
        self,
        name: str,
        config: CollectionConfig,
        provider: KanbanProvider,
        store: Store,
        queue: Queue,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self.name = name
        self.config = config
        self._provider = provider
        self._standing = Standing(name, config, provider, store, clock)
        self.rereads = Rereads(self._standing)
        self.writing = Writing(self._standing, queue, teller)
        self.reading = Reading(self._standing, queue, self.writing, self.rereads)

    async def load(self) -> None:
        """What the store knows of it."""
        await self._standing.load()
        await self.writing.load()

    def tasks(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]:
        """What runs for ever, each in a fence of its own."""
        return (
            ("pull", self.reading.run),
            ("watch", self.reading.watch),
            ("hear", self.reading.hear),
            ("reread", self.rereads.run),
            ("push", self.writing.run),
        )

    async def create(self, new: NewTicket) -> str:
        """Add a record and take it in; its external id. Raises BoardError."""
        external_id = await self._standing.ask(partial(self._provider.create, new), WRITE_DEADLINE)
        await self.reading.take([external_id])
        return external_id

    async def edit(self, external_id: str, edit: Edit) -> None:
        """Change a record's own text and take that in. Raises BoardError."""
        await self._standing.ask(partial(self._provider.edit, external_id, edit), WRITE_DEADLINE)
        await self.reading.take([external_id])

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raises BoardAuth unless the webhook is the board's own."""
        self._provider.heard(headers, body, now)
        self.reading.heard()

    def view(self) -> CollectionView:
        state, pending = self._standing.state, self.writing.views()
        return CollectionView(
            name=self.name,
            provider=self.config.provider,
            where=board_config.where(self.config),
            last_sync=state.last_sync,
            next_sync=self.reading.next_sync,
            error_code=state.error_code,
            error=state.error,
            retry_at=state.retry_at if self._standing.wait else None,
            pending_writes=len(pending),
            problems=tuple(f"{each.where}: {each.message}" for each in state.problems),
            hint=state.hint,
            last_full=state.last_full,
            oldest_write=min((each.since for each in pending), default=None),
            write_error=next((each.error for each in pending if each.error), None),
        )
