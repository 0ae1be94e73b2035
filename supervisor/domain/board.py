"""What a board's record means for a ticket. Pure: the queue actor applies it."""

import hashlib
from datetime import datetime
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain.ids import TicketId
from supervisor.domain.queue import STICKY, Route
from supervisor.domain.ticket import (
    ENDED,
    HELD_BY_AGENT,
    BoardState,
    BoardTicket,
    Cancelled,
    Parked,
    ParkReason,
    Queued,
    Ticket,
    TicketStatus,
    WriteKind,
    move,
)

CLOSED = (BoardState.DONE, BoardState.CANCELLED)

STATE_AFTER: dict[WriteKind, BoardState] = {
    WriteKind.STARTED: BoardState.IN_PROGRESS,
    WriteKind.AWAITING: BoardState.IN_PROGRESS,
    WriteKind.FAILED: BoardState.IN_PROGRESS,
    WriteKind.REQUEUED: BoardState.OPEN,
    WriteKind.DONE: BoardState.DONE,
    WriteKind.CANCELLED: BoardState.CANCELLED,
}
"""Where a board stands once a write is done; a kind that is not here moves nothing."""


@frozen
class Outcome:
    """A ticket after its board was read."""

    ticket: Ticket
    changed: tuple[str, ...] = ()
    """Which of its fields a person changed at the board."""
    closed: bool = False
    conflict: str | None = None
    """A move at the board that cannot be followed while an agent works."""


def digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def created(record: BoardTicket, collection: str, ticket_id: TicketId, default_type: str, now: datetime) -> Ticket:
    """A ticket for a record that was never seen before."""
    status: TicketStatus = Queued(now)
    if record.state is BoardState.IN_PROGRESS:
        status = Parked(now, ParkReason.HELD, "it was in progress on its board before Operator knew it")
    return Ticket(
        id=ticket_id,
        title=record.title,
        type=record.type or default_type,
        status=status,
        created_at=record.updated_at or now,
        updated_at=now,
        collection=collection,
        external_id=record.external_id,
        external_key=record.external_key,
        url=record.url,
        priority=record.priority,
        project=record.project,
        driver=record.driver,
        labels=record.labels,
        blocked_by=record.blocked_by,
        problem=record.problem,
        alias=record.alias,
        body_digest=digest(record.body),
        board_state=record.state,
    )


def merged(
    ticket: Ticket, record: BoardTicket, route: Route, default_type: str, now: datetime, *, trust_state: bool
) -> Outcome:
    """A known ticket after its record was read again.

    `trust_state` is False while a write of ours is under way or newer than the reading: then the board's
    state may still be the one from before our own move. A record with a problem says nothing but that.
    """
    fresh = _with_fields(ticket, record, default_type)
    changed = tuple(name for name in _COMPARED if getattr(fresh, name) != getattr(ticket, name))
    if changed:
        fresh = evolve(fresh, updated_at=now)
    if not trust_state or record.state == ticket.board_state:
        return Outcome(fresh, changed)
    fresh = evolve(fresh, board_state=record.state, updated_at=now)
    changed = (*changed, "state")
    match record.state:
        case BoardState.DONE | BoardState.CANCELLED:
            return closed(fresh, route, f"closed on the board ({record.state})", now, changed)
        case BoardState.OPEN:
            return _reopened(fresh, now, changed)
        case BoardState.IN_PROGRESS:
            return _taken_by_person(fresh, now, changed)
        case never:
            assert_never(never)


def _with_fields(ticket: Ticket, record: BoardTicket, default_type: str) -> Ticket:
    if record.problem is not None:
        return evolve(ticket, problem=record.problem)
    return evolve(
        ticket,
        title=record.title,
        type=record.type or default_type,
        external_key=record.external_key,
        url=record.url,
        priority=record.priority,
        project=record.project,
        driver=record.driver,
        labels=record.labels,
        blocked_by=record.blocked_by,
        problem=None,
        alias=record.alias,
        body_digest=digest(record.body),
    )


_COMPARED = (
    "title", "type", "external_key", "url", "priority", "project", "driver", "labels",
    "blocked_by", "problem", "alias", "body_digest",
)  # fmt: skip


def closed(ticket: Ticket, route: Route, why: str, now: datetime, changed: tuple[str, ...] = ("state",)) -> Outcome:
    """A person closed it: what waits is cancelled; what runs is finished or stopped as configured."""
    if isinstance(ticket.status, ENDED):
        return Outcome(ticket, changed)
    if isinstance(ticket.status, HELD_BY_AGENT) and route.on_closed == "finish":
        return Outcome(evolve(ticket, closed_on_board=True), changed, closed=not ticket.closed_on_board)
    gone = move(evolve(ticket, closed_on_board=True), Cancelled(now, why))
    return Outcome(gone, changed, closed=True)


def deleted(ticket: Ticket, route: Route, now: datetime) -> Outcome:
    """Its record is gone, which closes it. Should the record come back, its state is a person's move again."""
    return closed(evolve(ticket, board_state=None), route, "deleted on the board", now)


def _reopened(ticket: Ticket, now: datetime, changed: tuple[str, ...]) -> Outcome:
    if isinstance(ticket.status, HELD_BY_AGENT):
        open_again = evolve(ticket, closed_on_board=False)
        return Outcome(open_again, changed, conflict="moved back into the queue while its agent works")
    if isinstance(ticket.status, ENDED):
        again = evolve(ticket, attempts=0, losses=0, closed_on_board=False)
        return Outcome(move(again, Queued(now)), changed)
    if isinstance(ticket.status, Parked) and ticket.status.reason in STICKY:
        return Outcome(move(ticket, Queued(now)), changed)
    return Outcome(ticket, changed)


def _taken_by_person(ticket: Ticket, now: datetime, changed: tuple[str, ...]) -> Outcome:
    if isinstance(ticket.status, HELD_BY_AGENT):
        return Outcome(evolve(ticket, closed_on_board=False), changed)
    if isinstance(ticket.status, ENDED):
        return Outcome(ticket, changed, conflict="moved to in progress after it had ended")
    held = Parked(now, ParkReason.HELD, "a person moved it to in progress")
    return Outcome(move(ticket, held), changed)
