"""How tickets come in and what boards are told: merging what was read, numbering, the intents to write back."""

from collections.abc import Collection
from typing import assert_never

from attrs import evolve

from supervisor.actors.queue import messages as m
from supervisor.actors.queue.desk import Change, Desk
from supervisor.actors.queue.shelf import Merged
from supervisor.domain import board
from supervisor.domain.activity import Value
from supervisor.domain.errors import Conflict, Invalid
from supervisor.domain.ids import TicketId, is_ticket_id
from supervisor.domain.ticket import (
    BoardTicket,
    Body,
    Queued,
    Ticket,
    WriteKind,
)
from supervisor.ports import NewTicket, Record, Setting

COUNTER = "counter."


class Intake:
    """A part of the queue actor: it runs in its task and writes through it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._store = desk.store
        self._shelf = desk.shelf
        self._clock = desk.clock

    async def serve(self, message: m.IntakeMessage) -> None:
        match message:
            case m.Merge(reply=reply):
                reply.give(await self._merge(message))
            case m.Absent(reply=reply):
                reply.give(await self._absent(message))
            case m.Wrote(ticket_id=ticket_id, kind=kind, conflict=conflict, reply=reply):
                await self._wrote(ticket_id, kind, conflict)
                reply.give(None)
            case m.Allocate(type_name=type_name, reply=reply):
                reply.give(await self._allocate(type_name))
            case m.Add(new=new, reply=reply):
                reply.give(await self._add(new))
            case m.Amend(ticket_id=ticket_id, amendment=amendment, reply=reply):
                reply.give(await self._amend(self._shelf.find(ticket_id), amendment))
            case never:
                assert_never(never)

    # --- reading boards -----------------------------------------------------------------------------

    async def _merge(self, message: m.Merge) -> Merged:
        total = Merged()
        changes: dict[TicketId, Change] = {}
        for record in message.records:
            known = self._shelf.by_external(message.collection, record.external_id)
            if known is None:
                change, total = self._new(record, message, total, changes)
            elif known.id in changes:
                continue  # the same record twice in one reading
            else:
                change, total = self._known(known, record, message, total)
            if change is not None:
                changes[change.ticket.id] = change
        await self._desk.apply(list(changes.values()))
        return total

    def _new(
        self, record: BoardTicket, message: m.Merge, total: Merged, taken: Collection[TicketId]
    ) -> tuple[Change | None, Merged]:
        if record.state in board.CLOSED:
            return None, evolve(total, skipped=(*total.skipped, record.external_key))
        ticket_id = self._shelf.free_id(message.collection, record.external_key, taken)
        if ticket_id is None:
            sentence = f"{record.external_key}: no free ticket id can be made of this key"
            return None, evolve(total, errors=(*total.errors, sentence))
        ticket = board.created(record, message.collection, ticket_id, message.default_type, self._clock())
        ticket = evolve(ticket, status=self._shelf.assessed(ticket, self._clock()))
        change = Change(
            ticket,
            "ticket.created",
            also=(Body(ticket_id, record.body),),
            data={"status": ticket.status_name, "type": ticket.type},
        )
        return change, evolve(total, created=(*total.created, record.external_key))

    def _known(
        self, ticket: Ticket, record: BoardTicket, message: m.Merge, total: Merged
    ) -> tuple[Change | None, Merged]:
        trusted = record.external_id not in message.in_flight and ticket.status.since <= message.read_at
        now = self._clock()
        route = self._desk.route(ticket.collection)
        outcome = board.merged(ticket, record, route, message.default_type, now, trust_state=trusted)
        if not trusted and record.problem is None and record.state != ticket.board_state:
            total = evolve(total, doubtful=(*total.doubtful, record.external_id))
        if outcome.ticket == ticket:
            return None, evolve(total, skipped=(*total.skipped, record.external_key))
        fresh = evolve(outcome.ticket, status=self._shelf.assessed(outcome.ticket, now))
        change = Change(
            fresh,
            _kind(ticket, fresh, outcome),
            also=(Body(ticket.id, record.body),) if fresh.body_digest != ticket.body_digest else (),
            data={"changed": ", ".join(outcome.changed), "conflict": outcome.conflict},
        )
        if change.kind is None:
            return change, evolve(total, skipped=(*total.skipped, record.external_key))
        if outcome.closed:
            return change, evolve(total, closed=(*total.closed, record.external_key))
        return change, evolve(total, updated=(*total.updated, record.external_key))

    async def _absent(self, message: m.Absent) -> Merged:
        changes: list[Change] = []
        for external_id in message.gone:
            ticket = self._shelf.by_external(message.collection, external_id)
            if ticket is None:
                continue
            outcome = board.deleted(ticket, self._desk.route(ticket.collection), self._clock())
            if outcome.closed:
                kind = _kind(ticket, outcome.ticket, outcome)
                changes.append(Change(outcome.ticket, kind, data={"changed": "deleted"}))
        await self._desk.apply(changes)
        return Merged(closed=tuple(each.ticket.external_key or each.ticket.id for each in changes))

    async def _wrote(self, ticket_id: TicketId, kind: WriteKind, conflict: str | None) -> None:
        ticket = self._shelf.tickets.get(ticket_id)
        state = board.STATE_AFTER.get(kind)
        if ticket is None:
            return
        if conflict is not None:
            fresh = evolve(ticket, conflict=f"a person has it as {conflict}, which stays ({kind} was not written)")
        elif state is not None:
            fresh = evolve(ticket, board_state=state, conflict=None)
        else:
            return
        if fresh != ticket:
            await self._store.commit(fresh)
            self._shelf.put(fresh)

    # --- our own tickets ------------------------------------------------------------------------------

    async def _allocate(self, type_name: str) -> TicketId:
        if not is_ticket_id(type_name):
            raise Invalid(f'"{type_name}" is not the name of an issue type')
        stored = await self._store.get(Setting, COUNTER + type_name)
        number = int(stored.value) if stored is not None else 0
        while True:
            number += 1
            wish = self._shelf.free_id("", f"{type_name}-{number}")
            if wish == f"{type_name}-{number}":
                break
        await self._store.commit(Setting(COUNTER + type_name, str(number)))
        return TicketId(f"{type_name}-{number}")

    async def _add(self, new: NewTicket) -> Ticket:
        if not is_ticket_id(new.id) or new.id.casefold() in {each.casefold() for each in self._shelf.tickets}:
            raise Conflict(f"there is a ticket {new.id} already, or that is no ticket id")
        now = self._clock()
        ticket = Ticket(
            id=new.id,
            title=new.title,
            type=new.type,
            status=Queued(now),
            created_at=now,
            updated_at=now,
            priority=new.priority,
            project=new.project,
            driver=new.driver,
            labels=new.labels,
            blocked_by=new.blocked_by,
            body_digest=board.digest(new.body),
        )
        ticket = evolve(ticket, status=self._shelf.assessed(ticket, now))
        data: dict[str, Value] = {"status": ticket.status_name, "type": ticket.type}
        await self._desk.apply([Change(ticket, "ticket.created", also=(Body(new.id, new.body),), data=data)])
        return ticket

    async def _amend(self, ticket: Ticket, amendment: m.Amendment) -> Ticket:
        if ticket.collection is not None:
            raise Conflict(f"{ticket.id} is kept by the board {ticket.collection}", hint="edit it there")
        given = {
            name: getattr(amendment, name)
            for name in ("title", "type", "priority", "project", "driver", "labels", "blocked_by")
            if getattr(amendment, name) is not None
        }
        fresh = evolve(ticket, updated_at=self._clock(), **given)
        also: list[Record] = []
        if amendment.body is not None:
            fresh = evolve(fresh, body_digest=board.digest(amendment.body))
            also.append(Body(ticket.id, amendment.body))
        fresh = evolve(fresh, status=self._shelf.assessed(fresh, self._clock()))
        data: dict[str, Value] = {"changed": ", ".join(given)}
        await self._desk.apply([Change(fresh, "ticket.updated", also=tuple(also), data=data)])
        return fresh


def _kind(before: Ticket, after: Ticket, outcome: board.Outcome) -> str | None:
    """What happened to a ticket by its board, as an entry's kind; None where only its address changed."""
    if type(after.status) is not type(before.status):
        return f"ticket.{after.status_name}"
    if outcome.closed:
        return "ticket.closed_on_board"
    if outcome.conflict is not None:
        return "ticket.conflict"
    return "ticket.updated" if set(outcome.changed) - {"url", "alias"} else None
