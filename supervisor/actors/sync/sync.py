"""The sync actor: all collections, each in tasks of its own, so that a slow board keeps only itself waiting.

Sync alone writes `CollectionState`, and completes the `BoardWrite`s that the queue intends.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import trio

from supervisor.actors.kit import Clock, supervise
from supervisor.actors.queue import Queue
from supervisor.actors.review import Review
from supervisor.actors.store import Store
from supervisor.actors.sync.board import Board
from supervisor.actors.sync.telling import Teller
from supervisor.domain.activity import Entry
from supervisor.domain.board import CLOSED, is_elsewhere
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import Conflict, NotFound, OperatorError
from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.ticket import Body, Ticket
from supervisor.domain.views import CollectionView, SyncView, WriteView
from supervisor.ports import Edit, KanbanProvider, NewTicket, TicketDraft


class Sync:
    """The handle, and the actor behind it."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        review: Review,
        types: Mapping[str, IssueType],
        providers: Mapping[str, KanbanProvider],
        collections: Mapping[str, CollectionConfig],
        clock: Clock,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        teller = Teller(queue, review, types)
        self._boards = {
            name: Board(name, config, providers[name], store, queue, teller, clock)
            for name, config in collections.items()
        }

    # --- the handle -------------------------------------------------------------------------------

    def collections(self) -> tuple[CollectionView, ...]:
        return tuple(board.view() for board in self._boards.values())

    def writes(self, collection: str) -> tuple[WriteView, ...]:
        """What the collection's board is still to be told, oldest first. Raises NotFound."""
        return self._board(collection).writing.views()

    def heard(self, collection: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Have the board read soon, if a webhook is its own. Raises NotFound, and BoardAuth if it is not."""
        self._board(collection).heard(headers, body, now)

    async def now(self, collection: str | None = None) -> SyncView:
        """Read one board, or all at once, and say what that changed. One that fails is an error among the others'
        changes; when it is the only one, its error is raised."""
        if collection is not None:
            return await self._board(collection).reading.now()
        views: dict[str, SyncView] = {}
        async with trio.open_nursery() as nursery:
            for board in self._boards.values():
                nursery.start_soon(_sync_into, board, views)
        return _sum([views[name] for name in self._boards])

    async def create(self, draft: TicketDraft) -> Ticket:
        """A new ticket: in the collection that is named, else in the only one there is, else in no board."""
        name = draft.collection if draft.collection is not None else self._only()
        kind = draft.type or (self._board(name).config.type if name is not None else None) or "TASK"
        new = NewTicket(
            id=await self._queue.allocate(kind),
            title=draft.title,
            body=draft.body,
            type=kind,
            priority=draft.priority,
            project=draft.project,
            driver=draft.driver,
            labels=draft.labels,
            blocked_by=draft.blocked_by,
        )
        if name is None:
            return await self._queue.add(new)
        external_id = await self._board(name).create(new)
        found = self._queue.by_external(name, external_id)
        if found is None:
            raise Conflict(f"the ticket {new.id} was written to {name}, but reading {name} does not show it")
        return found

    async def edit(self, ticket_id: TicketId, edit: Edit) -> Ticket:
        """Change a ticket's own text where it is kept."""
        ticket = self._queue.find(ticket_id)
        if ticket.collection is None or ticket.external_id is None:
            return await self._queue.amend(ticket.id, edit)
        if is_elsewhere(ticket.external_id):
            raise Conflict(
                f"{ticket.id} is at a place that {ticket.collection} does not read any more", hint="edit it there"
            )
        await self._board(ticket.collection).edit(ticket.external_id, edit)
        return self._queue.find(ticket.id)

    async def body(self, ticket_id: TicketId) -> str:
        stored = await self._store.get(Body, ticket_id)
        return stored.text if stored is not None else ""

    async def reread(self, collection: str, external_id: str) -> bool:
        """Whether the ticket is still open at its board, or is there as we closed it and still have to undo."""
        board = self._boards.get(collection)
        if board is None or is_elsewhere(external_id):
            return True
        reopening = await board.writing.reopening()  # before it is read: what is written meanwhile is then seen
        record = await board.rereads.one(external_id)
        return record is not None and (record.state not in CLOSED or external_id in reopening)

    async def alive(self) -> None:
        """Return once the actor has come round its loop: never, if it is stuck. What a board keeps waiting has
        deadlines of its own."""
        await self._queue.outbox_bell.heard()

    def _board(self, name: str) -> Board:
        found = self._boards.get(name)
        if found is None:
            raise NotFound(f"there is no collection {name}", hint=f"known are: {', '.join(self._boards) or 'none'}")
        return found

    def _only(self) -> str | None:
        return next(iter(self._boards)) if len(self._boards) == 1 else None

    # --- the actor --------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        for board in self._boards.values():
            await board.load()
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on_bells)
            for name, board in self._boards.items():
                for what, task in board.tasks():
                    nursery.start_soon(self._fenced, f"sync {name} {what}", task)

    async def _fenced(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        await supervise(name, task, crashed=self._crashed)

    async def _crashed(self, name: str, error: Exception) -> None:
        entry = Entry("actor.crashed", self._clock(), data={"actor": name, "error": repr(error)[:500]})
        await self._store.commit(entries=[entry], durable=False)

    async def _pass_on_bells(self) -> None:
        for board in self._boards.values():
            board.writing.bell.ring()
        while True:
            await self._queue.outbox_bell.wait()
            for board in self._boards.values():
                board.writing.bell.ring()


async def _sync_into(board: Board, views: dict[str, SyncView]) -> None:
    try:
        views[board.name] = await board.reading.now()
    except OperatorError as error:
        views[board.name] = SyncView(errors=(f"{board.name}: {error.message}",))


def _sum(views: list[SyncView]) -> SyncView:
    return SyncView(
        created=tuple(key for view in views for key in view.created),
        updated=tuple(key for view in views for key in view.updated),
        skipped=tuple(key for view in views for key in view.skipped),
        closed=tuple(key for view in views for key in view.closed),
        errors=tuple(text for view in views for text in view.errors),
        total_processed=sum(view.total_processed for view in views),
    )
