"""Tickets: list, write, launch, and end them."""

import heapq
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

import trio
from attrs import field, frozen, validators

from supervisor.domain.agent import Agent, LaunchFailed, Planned, Prepared
from supervisor.domain.errors import SessionGone
from supervisor.domain.projections import phase_name
from supervisor.domain.ticket import Ticket
from supervisor.domain.views import LaunchView, TicketDetail, TicketPage
from supervisor.ports import Edit, TicketDraft
from supervisor.web.glue import Answer, Refused, Routes
from supervisor.web.house import House
from supervisor.web.looks import ticket_now, ticket_with_body
from supervisor.web.problems import launch_failed

routes = Routes("tickets")

LAUNCH_WAIT = 10.0
CLEAN_DEADLINE = 280.0

Status = Literal["queued", "parked", "launching", "running", "awaiting", "done", "failed", "cancelled"]

_short: Any = validators.max_len(200)
_line = validators.and_(validators.max_len(1000), validators.matches_re(r"[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*"))
_at: Any = validators.matches_re(r"[0-9]{1,17}\.[A-Za-z0-9._-]{1,64}")
_body: Any = validators.max_len(1_500_000)
_names: Any = validators.deep_iterable(_short, validators.max_len(100))
_priority = validators.and_(validators.ge(1), validators.le(1_000_000))


@frozen
class Sought:
    status: tuple[Status, ...] = ()
    collection: str | None = None
    type: str | None = None
    q: str | None = field(default=None, validator=validators.optional(_short))
    cursor: str | None = field(default=None, validator=validators.optional(_at))
    limit: int = field(default=100, validator=[validators.ge(1), validators.le(1000)])


@frozen
class New:
    """A ticket for a local collection."""

    title: str = field(validator=_line)
    body: str = field(default="", validator=_body)
    type: str | None = field(default=None, validator=validators.optional(_short))
    priority: int | None = field(default=None, validator=validators.optional(_priority))
    project: str | None = field(default=None, validator=validators.optional(_short))
    driver: str | None = field(default=None, validator=validators.optional(_short))
    labels: tuple[str, ...] = field(default=(), validator=_names)
    blocked_by: tuple[str, ...] = field(default=(), validator=_names)
    collection: str | None = field(default=None, validator=validators.optional(_short))


@frozen
class Change:
    """What to change of a ticket's own text; what is absent or null stays."""

    title: str | None = field(default=None, validator=validators.optional(_line))
    body: str | None = field(default=None, validator=validators.optional(_body))
    type: str | None = field(default=None, validator=validators.optional(_short))
    priority: int | None = field(default=None, validator=validators.optional(_priority))
    project: str | None = field(default=None, validator=validators.optional(_short))
    driver: str | None = field(default=None, validator=validators.optional(_short))
    labels: tuple[str, ...] | None = field(default=None, validator=validators.optional(_names))
    blocked_by: tuple[str, ...] | None = field(default=None, validator=validators.optional(_names))


@frozen
class Launch:
    force: bool = False
    """Beyond the caps."""


@frozen
class Cancel:
    reason: str = field(default="", validator=validators.max_len(2000))


@routes.get("/tickets")
async def find(house: House, query: Sought) -> TicketPage:
    """Tickets, newest first, in pages."""
    after = None if query.cursor is None else _place(query.cursor)
    found = list(_fitting(house, query))
    left = [each for each in found if after is None or _key(each) < after]
    page = heapq.nlargest(query.limit, left, key=_key)
    return TicketPage(
        tickets=tuple(ticket_now(house, each) for each in page),
        next_cursor=_cursor(page[-1]) if len(left) > len(page) else None,
        total_count=len(found),
    )


def _fitting(house: House, query: Sought) -> Iterator[Ticket]:
    words = (query.q or "").casefold()
    for each in house.queue.tickets.values():
        if query.collection is not None and each.collection != query.collection:
            continue
        if query.type is not None and each.type != query.type:
            continue
        if words and words not in f"{each.id}\n{each.external_key or ''}\n{each.title}".casefold():
            continue
        if query.status and ticket_now(house, each).status not in query.status:
            continue
        yield each


Place = tuple[int, str]
"""A ticket's place in the listing: when it was made, in microseconds, and its id."""


def _key(ticket: Ticket) -> Place:
    return (int(ticket.created_at.timestamp() * 1_000_000), ticket.id)


def _cursor(last: Ticket) -> str:
    return ".".join(map(str, _key(last)))


def _place(cursor: str) -> Place:
    at, _, ticket_id = cursor.partition(".")
    return (int(at), ticket_id)


@routes.post("/tickets", statuses=(201,))
async def create(house: House, body: New) -> TicketDetail:
    """Write a ticket into a collection."""
    draft = TicketDraft(
        title=body.title,
        body=body.body,
        type=body.type,
        priority=body.priority,
        project=body.project,
        driver=body.driver,
        labels=body.labels,
        blocked_by=body.blocked_by,
        collection=body.collection,
    )
    return await ticket_with_body(house, await house.sync.create(draft))


@routes.get("/tickets/{ticket}")
async def show(house: House, ticket: str) -> TicketDetail:
    """One ticket with its text, by its id, its board's key or a local file's name."""
    return await ticket_with_body(house, house.queue.find(ticket))


@routes.patch("/tickets/{ticket}")
async def change(house: House, ticket: str, body: Change) -> TicketDetail:
    """Change a ticket's own text, at its board."""
    found = house.queue.find(ticket)
    edit = Edit(
        title=body.title,
        body=body.body,
        type=body.type,
        priority=body.priority,
        project=body.project,
        driver=body.driver,
        labels=body.labels,
        blocked_by=body.blocked_by,
    )
    if edit != Edit():
        found = await house.sync.edit(found.id, edit)
    return await ticket_with_body(house, found)


@routes.post("/tickets/{ticket}/launch", statuses=(200, 202))
async def launch(house: House, ticket: str, body: Launch) -> Answer[LaunchView]:
    """Put an agent on a ticket now. 202: the launch is decided and goes on."""
    agent_id = await house.queue.launch(house.queue.find(ticket).id, body.force)
    with trio.move_on_after(LAUNCH_WAIT):
        await house.fleet.settled(agent_id)
    agent = house.fleet.agents[agent_id]
    match agent.phase:
        case LaunchFailed() as failed:
            raise Refused(launch_failed(failed, agent_id))
        case Planned() | Prepared():
            return Answer(HTTPStatus.ACCEPTED, _launched(agent, ()))
        case _:
            return Answer(HTTPStatus.OK, _launched(agent, _attach(house, agent)))


def _attach(house: House, agent: Agent) -> tuple[str, ...]:
    try:
        return house.fleet.session(agent.id).attach().argv
    except SessionGone:
        return ()  # it ended while we looked; the phase says so


def _launched(agent: Agent, command: tuple[str, ...]) -> LaunchView:
    return LaunchView(
        ticket_id=agent.ticket_id,
        agent_id=agent.id,
        phase=phase_name(agent.phase),
        terminal_name=agent.session_id,
        working_directory=agent.worktree_path,
        command=command,
        session_id=agent.session_id,
        worktree_created=agent.worktree_created,
        branch=agent.branch,
    )


@routes.post("/tickets/{ticket}/cancel")
async def cancel(house: House, ticket: str, body: Cancel) -> TicketDetail:
    """Give a ticket up; its agent is stopped."""
    found = house.queue.find(ticket)
    reason = body.reason or "cancelled by a person"
    return await ticket_with_body(house, await house.queue.cancel(found.id, reason))


@routes.post("/tickets/{ticket}/retry")
async def retry(house: House, ticket: str) -> TicketDetail:
    """Put an ended or parked ticket back in line."""
    return await ticket_with_body(house, await house.queue.retry(house.queue.find(ticket).id))


@routes.post("/tickets/{ticket}/done")
async def done(house: House, ticket: str) -> TicketDetail:
    """Say that a ticket is done; its agent is ended."""
    return await ticket_with_body(house, await house.queue.done(house.queue.find(ticket).id))


@routes.post("/tickets/{ticket}/clean", deadline=CLEAN_DEADLINE)
async def clean(house: House, ticket: str) -> TicketDetail:
    """Remove an ended ticket's worktree and branch; what is not merged is exported first."""
    found = house.queue.find(ticket)
    exported = await house.queue.clean(found.id)
    now: Ticket = house.queue.tickets.get(found.id, found)
    return await ticket_with_body(house, now, exported.path)
