"""The queue's records in memory: every ticket, the ways to find one, and who stands in line."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from attrs import frozen

from supervisor.domain.errors import Ambiguous, NotFound
from supervisor.domain.ids import TicketId, ticket_id_from
from supervisor.domain.queue import Backlog, Lane, Settings, assess, order_key, waiting_status
from supervisor.domain.ticket import (
    HELD_BY_AGENT,
    WAITING,
    Cancelled,
    Done,
    Parked,
    ParkReason,
    Queued,
    Ticket,
    TicketStatus,
)


@frozen
class Pause:
    """Automatic launches are stopped, since when, by whom and why."""

    since: datetime
    who: str
    reason: str | None = None


@frozen
class Merged:
    """What reading a board changed, by the board's own keys."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    """External ids of records whose state may be from before a move of ours: they are to be read once more."""

    def plus(self, other: "Merged") -> "Merged":
        """Both together."""
        return Merged(
            self.created + other.created,
            self.updated + other.updated,
            self.skipped + other.skipped,
            self.closed + other.closed,
            self.errors + other.errors,
            self.doubtful + other.doubtful,
        )


class Shelf:
    """All tickets, indexed. `put` is called after a ticket's commit, and only then."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tickets: dict[TicketId, Ticket] = {}
        self.backlog = Backlog()
        self.limits: dict[str, datetime] = {}
        """Drivers whose CLI has reached its usage limit, and until when."""
        self.counts: Counter[str] = Counter()
        self.waiting_types: Counter[str] = Counter()
        self._external: dict[tuple[str, str], TicketId] = {}
        self._names: dict[str, set[TicketId]] = {}
        self._folded: dict[str, TicketId] = {}
        self._held: set[TicketId] = set()
        self._in_review: set[TicketId] = set()
        self._blocks: dict[str, set[TicketId]] = {}
        self._due: list[tuple[datetime, TicketId]] = []
        self._timed: set[tuple[datetime, TicketId]] = set()
        """What stands in `_due`."""

    # --- finding ----------------------------------------------------------------------------------

    def find(self, ref: str) -> Ticket:
        """A ticket by its id, or by an external key or alias that only one ticket has."""
        exact = self.tickets.get(TicketId(ref))
        if exact is not None:
            return exact
        named = sorted(self._names.get(ref, ()))
        if len(named) == 1:
            return self.tickets[named[0]]
        if named:
            raise Ambiguous(f"{ref} may be {' or '.join(named)}", hint="name the ticket by its id")
        raise NotFound(f"there is no ticket {ref}", hint="`operator ticket list` shows all")

    def by_external(self, collection: str, external_id: str) -> Ticket | None:
        found = self._external.get((collection, external_id))
        return self.tickets[found] if found is not None else None

    def of_collection(self, collection: str) -> Iterator[Ticket]:
        return (self.tickets[each] for (name, _), each in self._external.items() if name == collection)

    def held(self) -> list[Ticket]:
        """The tickets that agents hold."""
        return [self.tickets[each] for each in sorted(self._held)]

    def in_review(self) -> list[Ticket]:
        """The tickets that wait for a review without an agent."""
        return [self.tickets[each] for each in sorted(self._in_review)]

    def line(self, limit: int) -> list[Ticket]:
        """The next tickets, in order."""
        order = self.backlog.in_order()
        return [self.tickets[each] for each, _ in zip(order, range(limit), strict=False)]

    def free_id(self, collection: str, key: str, taken: Collection[TicketId] = ()) -> TicketId | None:
        """An id for a board's key: the key itself where it fits, prefixed where another ticket has it.

        Where that does not fit either, the key's beginning and a digest of it. `taken` ids are not free although
        no ticket here has them. Two ids that differ in case only are one: some file systems see one folder.
        """
        folded = {each.casefold() for each in taken}
        mark = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        for wish in (key, f"{collection}-{key}", f"{key[:40]}-{mark}"):
            found = ticket_id_from(wish)
            if found is not None and found.casefold() not in self._folded and found.casefold() not in folded:
                return found
        return None

    # --- standing in line -------------------------------------------------------------------------

    def assessed(self, ticket: Ticket, now: datetime) -> TicketStatus:
        """The status a waiting ticket should have; others keep theirs."""
        if not isinstance(ticket.status, WAITING):
            return ticket.status
        found = assess(ticket, self.settings, self.open_blockers(ticket), now)
        until = self.limits.get(found.driver) if isinstance(found, Lane) else None
        if until is not None and until > now:
            return Parked(now, ParkReason.USAGE_LIMIT, "its agent CLI has reached its usage limit", until)
        return waiting_status(ticket, found, now)

    def open_blockers(self, ticket: Ticket) -> list[str]:
        """What must be done first and is not. An unknown name blocks: nobody can say that it is done."""
        return [ref for ref in ticket.blocked_by if not self._is_over(ref)]

    def _is_over(self, ref: str) -> bool:
        exact = TicketId(ref)
        named = {exact} if exact in self.tickets else self._names.get(ref, set())
        known = [self.tickets[each] for each in named]
        return bool(known) and all(isinstance(each.status, Done | Cancelled) for each in known)

    def dependents(self, ticket: Ticket) -> list[Ticket]:
        """Waiting tickets that name this one as a blocker."""
        names = {ticket.id, ticket.external_key, ticket.alias} - {None}
        found = set().union(*(self._blocks.get(str(name), set()) for name in names))
        return [self.tickets[each] for each in sorted(found) if isinstance(self.tickets[each].status, WAITING)]

    def due(self, now: datetime) -> list[Ticket]:
        """Parked tickets whose time has come; each is given once."""
        ready: list[Ticket] = []
        while self._due and self._due[0][0] <= now:
            when, ticket_id = heapq.heappop(self._due)
            self._timed.discard((when, ticket_id))
            ticket = self.tickets.get(ticket_id)
            if ticket is not None and isinstance(ticket.status, Parked) and ticket.status.until == when:
                ready.append(ticket)
        return ready

    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    # --- changing ---------------------------------------------------------------------------------

    def put(self, ticket: Ticket) -> None:
        """Take in a committed record."""
        old = self.tickets.get(ticket.id)
        if old is not None:
            self._unindex(old)
        self.tickets[ticket.id] = ticket
        self._index(ticket)

    def load(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            self.put(ticket)

    def _unindex(self, old: Ticket) -> None:
        self.counts[old.status_name] -= 1
        if isinstance(old.status, WAITING):
            self.waiting_types[old.type] -= 1
        for name in {old.external_key, old.alias} - {None}:
            self._names[str(name)].discard(old.id)
        for ref in old.blocked_by:
            self._blocks[ref].discard(old.id)
        if old.collection is not None and old.external_id is not None:
            del self._external[old.collection, old.external_id]

    def _index(self, ticket: Ticket) -> None:
        self.counts[ticket.status_name] += 1
        self._folded[ticket.id.casefold()] = ticket.id
        if ticket.collection is not None and ticket.external_id is not None:
            self._external[ticket.collection, ticket.external_id] = ticket.id
        for name in {ticket.external_key, ticket.alias} - {None}:
            self._names.setdefault(str(name), set()).add(ticket.id)
        for ref in ticket.blocked_by:
            self._blocks.setdefault(ref, set()).add(ticket.id)
        if isinstance(ticket.status, WAITING):
            self.waiting_types[ticket.type] += 1
        if isinstance(ticket.status, HELD_BY_AGENT):
            self._held.add(ticket.id)
        else:
            self._held.discard(ticket.id)
        if isinstance(ticket.status, Parked) and ticket.status.reason is ParkReason.REVIEW:
            self._in_review.add(ticket.id)
        else:
            self._in_review.discard(ticket.id)
        self._line_up(ticket)

    def _line_up(self, ticket: Ticket) -> None:
        lane = assess(ticket, self.settings, (), ticket.status.since) if isinstance(ticket.status, Queued) else None
        if isinstance(lane, Lane):
            self.backlog.put(ticket.id, lane, order_key(ticket, self.settings))
        else:
            self.backlog.drop(ticket.id)
        if isinstance(ticket.status, Parked) and ticket.status.until is not None:
            entry = (ticket.status.until, ticket.id)
            if entry not in self._timed:
                self._timed.add(entry)
                heapq.heappush(self._due, entry)
