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
    Done,
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
    if record.problem is not None or not trust_state or record.state == ticket.board_state:
        return Outcome(fresh, changed)
    fresh = evolve(fresh, board_state=record.state, updated_at=now)
    changed = (*changed, "state")
    match record.state:
        case BoardState.DONE if _in_review(fresh):
            # Such as a merge that closes the issue: who does that has decided about the branch, too.
            done = move(evolve(fresh, closed_on_board=True), Done(now, note="closed as done on the board"))
            return Outcome(done, changed, closed=True)
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


def _in_review(ticket: Ticket) -> bool:
    return isinstance(ticket.status, Parked) and ticket.status.reason is ParkReason.REVIEW


def deleted(ticket: Ticket, route: Route, now: datetime) -> Outcome:
    """Its record is gone, which closes it. Should the record come back, its state is a person's move again."""
    return closed(evolve(ticket, board_state=None), route, "deleted on the board", now)


def _reopened(ticket: Ticket, now: datetime, changed: tuple[str, ...]) -> Outcome:
    if isinstance(ticket.status, HELD_BY_AGENT):
        return _conflicting(
            evolve(ticket, closed_on_board=False), changed, "moved back into the queue while its agent works"
        )
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
        return _conflicting(ticket, changed, "moved to in progress after it had ended")
    held = Parked(now, ParkReason.HELD, "a person moved it to in progress")
    return Outcome(move(ticket, held), changed)


def _conflicting(ticket: Ticket, changed: tuple[str, ...], conflict: str) -> Outcome:
    return Outcome(evolve(ticket, conflict=conflict), changed, conflict=conflict)


# --- a collection that reads another place than before ----------------------------------------------

_APART = "\x1f"
_MOVED = "its collection reads another place now"


def is_elsewhere(external_id: str | None) -> bool:
    """Whether a ticket's record is at a place that its collection does not read any more."""
    return external_id is not None and _APART in external_id


def relocated(ticket: Ticket, old: str, new: str, now: datetime) -> Ticket:
    """A ticket after its collection's place changed from `old` to `new`: it keeps its record by both names.

    It is not closed, for nobody closed it. What waits is parked, and what works goes on without its board. Once the
    collection reads the old place again, so does the ticket.
    """
    if ticket.external_id is None:
        return ticket
    home, apart, external_id = ticket.external_id.rpartition(_APART)
    if not apart:
        gone = evolve(ticket, external_id=f"{old}{_APART}{external_id}")
        waits = isinstance(ticket.status, Queued | Parked)
        return move(gone, Parked(now, ParkReason.HELD, f"{_MOVED} ({new}), not {old}")) if waits else gone
    if home != new:
        return ticket
    back = evolve(ticket, external_id=external_id)
    parked = isinstance(back.status, Parked) and back.status.detail.startswith(_MOVED)
    return move(back, Queued(now)) if parked else back
