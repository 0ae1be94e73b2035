"""The queue actor: it alone writes tickets, and decides when an agent is put on one.

It does no I/O. What it decides is committed before anybody is told: first `Launching(agent)`, then the order
to fleet, which launches the same agent once however often it is asked.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

import trio
from attrs import evolve

from supervisor.actors.fleet import Fleet
from supervisor.actors.kit import Bell, Clock, Inbox, ask
from supervisor.actors.queue import messages as m
from supervisor.actors.queue.desk import Change, Desk
from supervisor.actors.queue.dispatch import Dispatch
from supervisor.actors.queue.herald import Herald
from supervisor.actors.queue.intake import Intake
from supervisor.actors.queue.shelf import Merged, Pause, Shelf
from supervisor.actors.review import Review
from supervisor.actors.store import Store
from supervisor.domain import wire
from supervisor.domain.activity import Entry
from supervisor.domain.agent import OVER
from supervisor.domain.board import is_elsewhere
from supervisor.domain.errors import (
    Conflict,
    TicketTaken,
)
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.queue import Settings
from supervisor.domain.ticket import (
    ENDED,
    HELD_BY_AGENT,
    BoardTicket,
    Cancelled,
    Done,
    Parked,
    ParkReason,
    Queued,
    Ticket,
    WriteKind,
    holder,
    move,
)
from supervisor.ports import Exported, NewTicket, Setting

PAUSE = "pause"
LOOK_AGAIN = 5.0
"""Seconds until held tickets are looked at even if no bell rang."""
MERGE_DEADLINE = 60.0


class Queue:
    """The handle, and the actor behind it."""

    def __init__(self, store: Store, fleet: Fleet, review: Review, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._fleet = fleet
        self._review = review
        self._settings = settings
        self._clock = clock
        self._outbox_bell = Bell()
        self._furnish()
        self._wake = Bell()
        self._inbox: Inbox[m.Message] = Inbox("the queue", 64, self._wake)
        self._paused: Pause | None = None
        review.on_change(self._wake)

    def _furnish(self) -> None:
        """Empty records, before they are loaded."""
        self._shelf = Shelf(self._settings)
        self._desk = Desk(self._store, self._shelf, self._clock, self._outbox_bell)
        self._intake = Intake(self._desk)
        self._dispatch = Dispatch(self._desk, self._fleet, self._review, self._settings)
        self._herald = Herald(self._desk, self._review)

    # --- the handle: reads ------------------------------------------------------------------------

    @property
    def tickets(self) -> Mapping[TicketId, Ticket]:
        return MappingProxyType(self._shelf.tickets)

    @property
    def paused(self) -> Pause | None:
        return self._paused

    @property
    def outbox_bell(self) -> Bell:
        """Rung when there is something new to write to a board."""
        return self._outbox_bell

    def counts(self) -> Mapping[str, int]:
        """Tickets by stored status."""
        return MappingProxyType(self._shelf.counts)

    def waiting_types(self) -> dict[str, int]:
        return {name: count for name, count in sorted(self._shelf.waiting_types.items()) if count}

    def find(self, ref: str) -> Ticket:
        return self._shelf.find(ref)

    def by_external(self, collection: str, external_id: str) -> Ticket | None:
        return self._shelf.by_external(collection, external_id)

    def held(self) -> list[Ticket]:
        return self._shelf.held()

    def awaiting(self) -> int:
        """How many tickets wait for a person, with an agent or without one."""
        return self._dispatch.awaiting()

    def shelved(self) -> int:
        """How many of those wait for a review without an agent."""
        return self._dispatch.shelved()

    def awaiting_full(self) -> bool:
        """Whether so many tickets wait for people that no more are started (`queue.max_awaiting`)."""
        return self._dispatch.awaiting_full()

    def line(self, limit: int) -> list[Ticket]:
        return self._shelf.line(limit)

    # --- the handle: asks -------------------------------------------------------------------------

    async def merge(
        self,
        collection: str,
        records: Sequence[BoardTicket],
        *,
        read_at: datetime,
        in_flight: frozenset[str],
        default_type: str,
    ) -> Merged:
        """Take in records of a board that was read at `read_at`; `in_flight` have writes of ours under way."""
        return await ask(
            self._inbox,
            lambda reply: m.Merge(collection, tuple(records), read_at, in_flight, default_type, reply),
            within=MERGE_DEADLINE,
        )

    def missing(self, collection: str, present: Container[str]) -> list[str]:
        """The external ids of the collection's tickets that are not `present`, as far as their absence would mean
        anything: what has ended, or is known to be closed there, cannot be closed by it."""
        return [
            str(each.external_id)
            for each in self._shelf.of_collection(collection)
            if each.external_id not in present
            and not (isinstance(each.status, ENDED) or each.closed_on_board or is_elsewhere(each.external_id))
        ]

    async def absent(self, collection: str, gone: Sequence[str]) -> Merged:
        """These records of the collection were looked for one by one, and are not there any more."""
        return await ask(self._inbox, lambda reply: m.Absent(collection, tuple(gone), reply), within=MERGE_DEADLINE)

    async def wrote(self, ticket_id: TicketId, kind: WriteKind, conflict: str | None = None) -> None:
        """A board write is done: the board's state is known again. `conflict`: or what a person made of the record,
        which stays."""
        await ask(self._inbox, lambda reply: m.Wrote(ticket_id, kind, conflict, reply))

    async def allocate(self, type_name: str) -> TicketId:
        """The next free `TYPE-N`."""
        return await ask(self._inbox, lambda reply: m.Allocate(type_name, reply))

    async def add(self, new: NewTicket) -> Ticket:
        """A ticket that no board keeps."""
        return await ask(self._inbox, lambda reply: m.Add(new, reply))

    async def amend(self, ticket_id: TicketId, amendment: m.Amendment) -> Ticket:
        """Change a boardless ticket's own text."""
        return await ask(self._inbox, lambda reply: m.Amend(ticket_id, amendment, reply))

    async def launch(self, ticket_id: TicketId, force: bool = False) -> AgentId:
        """Put an agent on this ticket now. Raises TicketTaken, NoSlot, NotEligible or Conflict."""
        return await ask(self._inbox, lambda reply: m.Launch(ticket_id, force, reply))

    async def cancel(self, ticket_id: TicketId, reason: str = "cancelled by a person") -> Ticket:
        return await ask(self._inbox, lambda reply: m.Cancel(ticket_id, reason, reply))

    async def retry(self, ticket_id: TicketId) -> Ticket:
        """Put an ended or parked ticket in line again, with all its attempts."""
        return await ask(self._inbox, lambda reply: m.Retry(ticket_id, reply))

    async def done(self, ticket_id: TicketId) -> Ticket:
        """A person says that the ticket's work is done."""
        return await ask(self._inbox, lambda reply: m.Finish(ticket_id, reply))

    async def stop(self, agent_id: AgentId) -> Ticket:
        """A person ends an agent: its ticket waits until somebody retries it."""
        return await ask(self._inbox, lambda reply: m.Stop(agent_id, reply))

    async def clean(self, ticket_id: TicketId) -> Exported:
        """Remove an ended ticket's worktree and branch; unmerged work is exported first.

        The work is done in the caller's task; the actor's loop only learns of it.
        """
        ticket = self._shelf.find(ticket_id)
        if not isinstance(ticket.status, ENDED):
            raise Conflict(f"{ticket.id} is {ticket.status_name}", hint=f"operator ticket cancel {ticket.id}")
        exported = await self._fleet.clean(ticket.id)
        await ask(self._inbox, lambda reply: m.Archived(ticket.id, reply))
        return exported

    async def pause(self, reason: str | None = None, who: str = "a person") -> Pause:
        return await ask(self._inbox, lambda reply: m.PauseQueue(reason, who, reply))

    async def resume(self, who: str = "a person") -> None:
        await ask(self._inbox, lambda reply: m.ResumeQueue(who, reply))

    async def alive(self) -> None:
        """Return once the actor has come round its loop: never, if it is stuck."""
        await self._wake.heard()

    # --- the actor --------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._furnish()
        await self._desk.load()
        stored = await self._store.get(Setting, PAUSE)
        self._paused = wire.from_json(stored.value, Pause) if stored is not None and stored.value else None
        task_status.started()
        self._wake.ring()
        while True:
            await self._wake.wait_until(self._seconds_until_due())
            while (message := self._inbox.get_nowait()) is not None:
                with message.reply.answering():
                    await self._serve(message)
            await self._dispatch.settle_held()
            await self._herald.tell()
            await self._desk.reassess(self._shelf.due(self._clock()))
            if self._paused is None:
                await self._dispatch.fill()

    def drain(self) -> None:
        self._inbox.drain(lambda message, error: message.reply.fail(error))

    def _seconds_until_due(self) -> float | None:
        when = self._shelf.next_due()
        waits = [LOOK_AGAIN] if self._shelf.held() or self._dispatch.strays() else []
        if when is not None:
            waits.append(max(0.0, (when - self._clock()).total_seconds()))
        return min(waits, default=None)

    async def _serve(self, message: m.Message) -> None:
        match message:
            case m.Merge() | m.Absent() | m.Wrote() | m.Allocate() | m.Add() | m.Amend():
                await self._intake.serve(message)
            case m.Launch(ticket_id=ticket_id, force=force, reply=reply):
                reply.give(await self._dispatch.launch_by_name(self._get(ticket_id), force))
            case m.Cancel(ticket_id=ticket_id, reason=reason, reply=reply):
                reply.give(await self._cancel(self._get(ticket_id), reason))
            case m.Retry(ticket_id=ticket_id, reply=reply):
                reply.give(await self._retry(self._get(ticket_id)))
            case m.Finish(ticket_id=ticket_id, reply=reply):
                reply.give(await self._finish(self._get(ticket_id)))
            case m.Stop(agent_id=agent_id, reply=reply):
                reply.give(await self._stop(agent_id))
            case m.Archived(ticket_id=ticket_id, reply=reply):
                kept = evolve(self._get(ticket_id), archived=True, branch=None)
                await self._desk.apply([Change(kept, "ticket.cleaned")])
                reply.give(kept)
            case m.PauseQueue(reason=reason, who=who, reply=reply):
                reply.give(await self._pause(Pause(self._clock(), who, reason)))
            case m.ResumeQueue(who=who, reply=reply):
                await self._resume(who)
                reply.give(None)
            case never:
                assert_never(never)

    def _get(self, ticket_id: TicketId) -> Ticket:
        return self._shelf.find(ticket_id)

    # --- what a person asks -------------------------------------------------------------------------

    async def _cancel(self, ticket: Ticket, reason: str) -> Ticket:
        if isinstance(ticket.status, ENDED):
            raise Conflict(f"{ticket.id} is {ticket.status_name} already")
        agent_id = holder(ticket)
        ended = await self._desk.move(ticket, Cancelled(self._clock(), reason))
        if agent_id is not None:
            await self._dispatch.retire(agent_id, f"its ticket was {reason}", politely=False)
        return ended

    async def _stop(self, agent_id: AgentId) -> Ticket:
        agent = self._fleet.agents.get(agent_id)
        if agent is None or isinstance(agent.phase, OVER):
            raise Conflict(f"agent {agent_id} is not running")
        ticket = self._get(agent.ticket_id)
        if holder(ticket) == agent_id:
            held = Parked(self._clock(), ParkReason.HELD, "a person stopped its agent")
            ticket = await self._desk.move(ticket, held)
        await self._dispatch.retire(agent_id, "a person stopped it", politely=False)
        return ticket

    async def _retry(self, ticket: Ticket) -> Ticket:
        if isinstance(ticket.status, HELD_BY_AGENT):
            raise TicketTaken(f"{ticket.id} is held by agent {holder(ticket)}", agent_id=str(holder(ticket)))
        fresh = evolve(ticket, attempts=0, losses=0, closed_on_board=False)
        queued = move(fresh, Queued(self._clock()))
        status = self._shelf.assessed(queued, self._clock())
        return await self._desk.move(fresh, status)

    async def _finish(self, ticket: Ticket) -> Ticket:
        if isinstance(ticket.status, ENDED):
            raise Conflict(f"{ticket.id} is {ticket.status_name} already")
        agent_id = holder(ticket)
        done = await self._desk.move(ticket, Done(self._clock(), note="finished by a person"))
        if agent_id is not None:
            await self._dispatch.retire(agent_id, "a person finished its ticket", politely=True)
        return done

    async def _pause(self, pause: Pause) -> Pause:
        if self._paused is None:
            entry = Entry("queue.paused", pause.since, data={"who": pause.who, "reason": pause.reason})
            await self._store.commit(Setting(PAUSE, wire.to_json(pause)), entries=[entry])
            self._paused = pause
        return self._paused

    async def _resume(self, who: str) -> None:
        if self._paused is not None:
            entry = Entry("queue.resumed", self._clock(), data={"who": who})
            await self._store.commit(Setting(PAUSE, ""), entries=[entry])
            self._paused = None
