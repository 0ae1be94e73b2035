"""The queue: sync, pause, resume, and its two summaries."""

import heapq

from attrs import field, frozen, validators

from supervisor.domain.projections import awaits_without_agent
from supervisor.domain.ticket import ENDED, HELD_BY_AGENT
from supervisor.domain.views import Kanban, PauseView, QueueStatus, SyncView
from supervisor.web.glue import Routes
from supervisor.web.house import House
from supervisor.web.looks import ticket_now

routes = Routes("queue")

SYNC_DEADLINE = 280.0
COLUMN = 500
"""Tickets shown in one column of the board; the counts are of all."""


@frozen
class Pause:
    reason: str = field(default="", validator=validators.max_len(500))


@routes.post("/queue/sync", deadline=SYNC_DEADLINE)
async def sync_all(house: House) -> SyncView:
    """Read all boards now, and say what changed."""
    return await house.sync.now(None)


@routes.post("/queue/sync/{collection}", deadline=SYNC_DEADLINE)
async def sync_one(house: House, collection: str) -> SyncView:
    """Read one board now, and say what changed."""
    return await house.sync.now(collection)


@routes.post("/queue/pause")
async def pause(house: House, body: Pause) -> PauseView:
    """Launch nothing by itself any more; what runs goes on."""
    await house.queue.pause(body.reason or None, "a client of the REST API")
    return _paused(house, "Nothing is launched by itself until the queue is resumed.")


@routes.post("/queue/resume")
async def resume(house: House) -> PauseView:
    """Launch again."""
    await house.queue.resume("a client of the REST API")
    return _paused(house, "Tickets are taken up again.")


def _paused(house: House, message: str) -> PauseView:
    now = house.status()
    return PauseView(now.paused, message, now.counts.queued, now.counts.in_progress)


@routes.get("/queue/status")
async def queue_status(house: House) -> QueueStatus:
    """How many tickets are in which state."""
    return house.status().counts


@routes.get("/queue/kanban")
async def kanban(house: House) -> Kanban:
    """The board: what waits, in the order it will be taken; what runs, awaits a person, or ended lately."""
    tickets = house.queue.tickets
    waiting = [ticket_now(house, each) for each in house.queue.line(COLUMN) if not awaits_without_agent(each)]
    taken_up = (
        each for each in tickets.values() if isinstance(each.status, HELD_BY_AGENT) or awaits_without_agent(each)
    )
    held = [ticket_now(house, each) for each in taken_up]
    ended = heapq.nlargest(
        COLUMN,
        (each for each in tickets.values() if isinstance(each.status, ENDED)),
        key=lambda each: each.status.since,
    )
    return Kanban(
        queue=tuple(waiting),
        running=tuple(each for each in held if each.status != "awaiting"),
        awaiting=tuple(each for each in held if each.status == "awaiting"),
        done=tuple(ticket_now(house, each) for each in ended),
        total_count=len(tickets),
    )
