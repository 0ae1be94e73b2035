"""A driver at its usage limit: its tickets wait until the time, also after a restart, and all others go on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import trio

from supervisor.actors.kit import Bell
from supervisor.actors.queue.desk import Desk
from supervisor.actors.queue.shelf import Shelf
from supervisor.actors.store import Store
from supervisor.adapters.storage.disk import SqlDisk
from supervisor.domain.activity import Filter
from supervisor.domain.ids import Seq, TicketId
from supervisor.domain.ticket import Parked, ParkReason, Queued, Ticket, move
from tests.unit.domain import samples
from tests.unit.domain.samples import NOON, after, ticket

SETTINGS = samples.settings(drivers={"claude": None, "other": None})
UNTIL = after(3600)
LATER = after(7200)


class Day:
    """A queue's records in a real store, on a clock that the test sets."""

    def __init__(self, store: Store) -> None:
        self.now = NOON
        self.store = store
        self.shelf = Shelf(SETTINGS)
        self.desk = Desk(store, self.shelf, lambda: self.now, Bell())

    async def add(self, name: str, driver: str) -> None:
        """As the intake does it."""
        new = ticket(name, driver=driver)
        status = self.shelf.assessed(new, self.now)
        await self.store.commit(move(new, status) if status is not new.status else new)
        self.shelf.put(move(new, status) if status is not new.status else new)

    async def pass_to(self, now: datetime) -> None:
        """What the queue does when something is due."""
        self.now = now
        await self.desk.reassess(self.shelf.due(now))

    def waits(self, name: str) -> datetime | None:
        """Until when a ticket waits for its driver; None if it stands in line."""
        status = self.shelf.tickets[TicketId(name)].status
        if isinstance(status, Queued):
            assert TicketId(name) in set(self.shelf.backlog.in_order())
            return None
        assert isinstance(status, Parked)
        assert status.reason is ParkReason.USAGE_LIMIT
        assert TicketId(name) not in set(self.shelf.backlog.in_order())
        return status.until

    async def told(self, kind: str) -> int:
        found = await self.store.entries(Seq(0), 1000, Filter(kinds=(kind,)))
        return len(found)


@asynccontextmanager
async def day(path: Path) -> AsyncIterator[Day]:
    """One life of a daemon on this database."""
    store = Store(SqlDisk(path / "operator.db"))
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        made = Day(store)
        await made.desk.load()
        yield made
        nursery.cancel_scope.cancel()


async def test_all_that_wait_for_a_limited_driver_are_parked_until_then_and_others_are_not(tmp_path: Path) -> None:
    async with day(tmp_path) as today:
        for number in range(3):
            await today.add(f"C-{number}", "claude")
        await today.add("O-1", "other")
        await today.desk.limit("claude", UNTIL)
        assert [today.waits(f"C-{number}") for number in range(3)] == [UNTIL] * 3
        assert today.waits("O-1") is None
        await today.add("C-new", "claude")
        await today.add("O-new", "other")
        assert (today.waits("C-new"), today.waits("O-new")) == (UNTIL, None)
        assert today.shelf.next_due() == UNTIL
        await today.pass_to(after(3599))
        assert today.waits("C-0") == UNTIL
        await today.pass_to(UNTIL)
        assert [today.waits(name) for name in ("C-0", "C-1", "C-2", "C-new")] == [None] * 4
        await today.add("C-late", "claude")
        assert today.waits("C-late") is None


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    async with day(tmp_path) as today:
        await today.add("C-1", "claude")
        await today.desk.limit("claude", UNTIL)
        parked = await today.told("ticket.parked")
    async with day(tmp_path) as today:
        assert today.waits("C-1") == UNTIL
        assert await today.told("ticket.parked") == parked  # nothing new happened, so nothing is told
        await today.add("C-new", "claude")
        assert today.waits("C-new") == UNTIL
        await today.pass_to(UNTIL)
        assert (today.waits("C-1"), today.waits("C-new")) == (None, None)


async def test_killed_between_the_limit_and_its_tickets_they_are_parked_at_the_start(tmp_path: Path) -> None:
    async with day(tmp_path) as today:
        await today.add("C-1", "claude")
        today.shelf.backlog.drop(TicketId("C-1"))  # so that the limit finds nobody, as if it had not come so far
        await today.desk.limit("claude", UNTIL)
    async with day(tmp_path) as today:
        assert today.waits("C-1") == UNTIL


async def test_the_later_of_two_limits_holds(tmp_path: Path) -> None:
    async with day(tmp_path) as today:
        await today.add("C-1", "claude")
        await today.desk.limit("claude", UNTIL)
        await today.desk.limit("claude", LATER)
        await today.desk.limit("claude", UNTIL)  # of an agent that was told earlier
        assert await today.told("driver.limited") == 2
        await today.pass_to(UNTIL)
        assert today.waits("C-1") == LATER
        await today.pass_to(LATER)
        assert today.waits("C-1") is None


async def test_a_ticket_that_is_retried_waits_again(tmp_path: Path) -> None:
    async with day(tmp_path) as today:
        await today.add("C-1", "claude")
        await today.desk.limit("claude", UNTIL)
        known: Ticket = today.shelf.tickets[TicketId("C-1")]
        assert isinstance(today.shelf.assessed(move(known, Queued(NOON)), NOON), Parked)
