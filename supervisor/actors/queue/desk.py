"""The queue's way to write: tickets with their entries and board writes, in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve, field, frozen

from supervisor.actors.kit import Bell, Clock
from supervisor.actors.queue.shelf import Shelf
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry, Value
from supervisor.domain.board import is_elsewhere, relocated
from supervisor.domain.ids import TicketId
from supervisor.domain.lifecycle import board_write
from supervisor.domain.outbox import Told, told_after
from supervisor.domain.queue import Route
from supervisor.domain.ticket import (
    WAITING,
    BoardWrite,
    Cancelled,
    CollectionState,
    Done,
    Ticket,
    TicketStatus,
    WriteKind,
    move,
)
from supervisor.ports import Record, Setting

LIMIT = "limit."
"""Begins the name of a setting that says until when a driver's CLI is at its usage limit."""


@frozen
class Change:
    """One ticket's next record, with the entry that tells it and what is stored with it."""

    ticket: Ticket
    kind: str | None
    """None: nothing that anybody needs to be told, such as a file that we moved ourselves."""
    before: TicketStatus | None = None
    """The status it leaves, when it moves; its board is told of moves."""
    also: tuple[Record, ...] = ()
    data: dict[str, Value] = field(factory=dict)


OVER = (Done, Cancelled)
"""What no longer blocks another ticket."""


class Desk:
    """A part of the queue actor: used in its task only."""

    def __init__(self, store: Store, shelf: Shelf, clock: Clock, outbox_bell: Bell) -> None:
        self.store = store
        self.shelf = shelf
        self.clock = clock
        self._outbox_bell = outbox_bell
        self._number = 0
        self._told: dict[TicketId, Told] = {}

    async def load(self) -> None:
        """Take everything from the store, and continue the numbering of board writes."""
        for setting in await self.store.load(Setting):
            if setting.name.startswith(LIMIT):
                self.shelf.limits[setting.name.removeprefix(LIMIT)] = datetime.fromisoformat(setting.value)
        self.shelf.load(await self.store.load(Ticket))
        for write in sorted(await self.store.load(BoardWrite), key=lambda each: each.number):
            self._number = write.number
            self._told[write.ticket_id] = told_after(self.told(write.ticket_id), write)
        await self._relocate()
        await self.reassess(list(self.shelf.tickets.values()))

    async def _relocate(self) -> None:
        """Tell tickets whose collection reads another place than before; sync stores which one, once it reads it."""
        now = self.clock()
        for state in await self.store.load(CollectionState):
            place = self.route(state.name).workspace
            if place and state.workspace and place != state.workspace:
                known = [each for each in self.shelf.tickets.values() if each.collection == state.name]
                after = [(each, relocated(each, state.workspace, place, now)) for each in known]
                moved = [
                    Change(ticket, f"ticket.{ticket.status_name}" if ticket.status != each.status else None)
                    for each, ticket in after
                    if ticket != each
                ]
                await self.apply(moved)

    async def limit(self, driver: str, until: datetime) -> None:
        """No ticket of this driver is started before `until`."""
        known = self.shelf.limits.get(driver)
        if known is not None and known >= until:
            return
        data: dict[str, Value] = {"driver": driver, "until": until.isoformat()}
        entry = Entry("driver.limited", self.clock(), data=data)
        await self.store.commit(Setting(LIMIT + driver, until.isoformat()), entries=[entry])
        self.shelf.limits[driver] = until
        await self.reassess([self.shelf.tickets[each] for each in list(self.shelf.backlog.in_order())])

    async def reassess(self, tickets: Sequence[Ticket]) -> None:
        """Move waiting tickets in or out of the line, as what they wait for came or went."""
        for ticket in tickets:
            status = self.shelf.assessed(ticket, self.clock())
            if status is not ticket.status:
                await self.move(ticket, status)

    async def move(self, ticket: Ticket, status: TicketStatus, before: TicketStatus | None = None) -> Ticket:
        """Commit a ticket's new status with its entry and, where its board wants to know, the intent to write."""
        moved = move(ticket, status)
        await self.apply([Change(moved, f"ticket.{moved.status_name}", before or ticket.status)])
        return moved

    async def apply(self, changes: Sequence[Change]) -> None:
        """Commit tickets with their entries and board writes in one transaction, then look at who waited for them."""
        if not changes:
            return
        now = self.clock()
        puts: list[Record] = []
        writes: list[BoardWrite] = []
        for change in changes:
            puts += [change.ticket, *change.also]
            write = self._board_write(change.ticket, change.before, now) if change.before is not None else None
            if write is not None:
                writes.append(write)
        puts += writes
        entries = [_entry(change.kind, change, now) for change in changes if change.kind is not None]
        await self.store.commit(*puts, entries=entries)
        for change in changes:
            self.shelf.put(change.ticket)
        self._intended(writes)
        for change in changes:
            if change.before is None or isinstance(change.ticket.status, OVER) != isinstance(change.before, OVER):
                waiting = (each for each in self.shelf.dependents(change.ticket) if isinstance(each.status, WAITING))
                await self.reassess(list(waiting))

    def route(self, collection: str | None) -> Route:
        return self.shelf.settings.collections.get(collection or "", Route())

    def _board_write(self, ticket: Ticket, before: TicketStatus, now: datetime) -> BoardWrite | None:
        """The intent to tell the ticket's board of its move, if the board is to know."""
        kind = board_write(before, ticket.status)
        if kind is None or not self.tells(ticket):
            return None
        if kind is WriteKind.AWAITING and self.route(ticket.collection).comments:
            return None  # the herald tells it as soon as the review is open
        return self._write(ticket, kind, now)

    def tells(self, ticket: Ticket) -> bool:
        """Whether the ticket's board is to know what becomes of it."""
        if ticket.collection is None or ticket.external_id is None or is_elsewhere(ticket.external_id):
            return False
        return self.route(ticket.collection).write_back and not ticket.closed_on_board

    def told(self, ticket_id: TicketId) -> Told:
        """What its board was told last of a ticket, or is about to be."""
        return self._told.get(ticket_id, Told())

    async def tell(self, news: Sequence[tuple[Ticket, WriteKind, str]]) -> None:
        """Store the intents to tell boards of the work on tickets. A note that follows another one takes its place:
        what it would have told is told by the newer one."""
        now = self.clock()
        writes = [self._write(ticket, kind, now, about) for ticket, kind, about in news]
        replaced = [
            evolve(note, done=True)
            for write in writes
            if write.kind is WriteKind.NOTED and (note := self.told(write.ticket_id).note) is not None
        ]
        if writes:
            await self.store.commit(*replaced, *writes)
            self._intended(writes)

    def _intended(self, writes: Sequence[BoardWrite]) -> None:
        for write in writes:
            self._told[write.ticket_id] = told_after(self.told(write.ticket_id), write)
        if writes:
            self._outbox_bell.ring()

    def _write(self, ticket: Ticket, kind: WriteKind, now: datetime, about: str = "") -> BoardWrite:
        assert ticket.collection is not None
        assert ticket.external_id is not None
        self._number += 1
        return BoardWrite(
            id=f"{ticket.id}.{self._number}",
            number=self._number,
            collection=ticket.collection,
            ticket_id=ticket.id,
            external_id=ticket.external_id,
            kind=kind,
            at=now,
            note=ticket.reason or "",
            branch=ticket.branch,
            about=about,
        )


def _entry(kind: str, change: Change, now: datetime) -> Entry:
    ticket = change.ticket
    data: dict[str, Value] = {"title": ticket.title, "reason": ticket.reason, **change.data}
    return Entry(kind, now, ticket.id, ticket.agent_id, data)
