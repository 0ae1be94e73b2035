"""From a world to the lines of the board: in sections, what needs a person first. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from clients.cli import marks
from clients.cli.marks import Mark
from clients.tui.steady import steady
from clients.tui.world import World
from supervisor.domain.views import AgentView, ReviewView, TicketView


class Section(StrEnum):
    """The board's sections, in their order."""

    NEEDS_YOU = "Needs you"
    RUNNING = "Running"
    QUEUE = "Queue"
    DONE = "Done"


EMPTY = {
    Section.NEEDS_YOU: "nothing needs you",
    Section.RUNNING: "no agent is at work",
    Section.QUEUE: "no ticket waits; n adds one",
    Section.DONE: "nothing yet",
}


@frozen
class Row:
    """One ticket on the board, with its agent if it has one."""

    key: str
    """The ticket's id: the same from queue to done."""
    section: Section
    mark: Mark
    type: str
    what: str
    since: datetime
    title: str
    tail: str
    """Its last words, or why it waits."""
    driver: str = ""
    branch: str = ""
    agent: str | None = None
    review: int | None = None


@frozen
class Heading:
    section: Section
    count: int


@frozen
class Note:
    text: str


Line = Heading | Row | Note
Layout = Mapping[Section, tuple[str, ...]]
"""Which rows stand in which section, in their order."""


def rows_of(world: World) -> dict[str, Row]:
    """Every row of the board by its key, in the board's order."""
    found: dict[str, Row] = {}
    tickets = {each.id: each for each in (*world.kanban.awaiting, *world.kanban.running)}
    by_ticket = {each.ticket_id: each for each in world.reviews.values()}
    for row in sorted(_held(world, tickets, by_ticket), key=_rank):
        found.setdefault(row.key, row)
    for ticket in (*world.kanban.queue, *world.parked):
        found.setdefault(ticket.id, _ticket_row(ticket, Section.QUEUE))
    for ticket in world.kanban.done:
        found.setdefault(ticket.id, _ticket_row(ticket, Section.DONE))
    return found


def _rank(row: Row) -> tuple[bool, datetime, str]:
    return row.section is not Section.NEEDS_YOU, row.since, row.key


def _held(world: World, tickets: Mapping[str, TicketView], reviews: Mapping[str, ReviewView]) -> Iterator[Row]:
    queued = {each.id for each in (*world.kanban.queue, *world.parked, *world.kanban.done)}
    for agent in world.agents.values():
        if agent.ticket_id in tickets or (agent.ticket_id not in queued and agent.phase != "retired"):
            review = world.reviews.get(agent.review_id) if agent.review_id is not None else None
            yield _agent_row(agent, review, tickets.get(agent.ticket_id))
    held = {agent.ticket_id for agent in world.agents.values()}
    for ticket in tickets.values():
        if ticket.id not in held:
            yield _waiting_row(ticket, reviews.get(ticket.id))


def _agent_row(agent: AgentView, review: ReviewView | None, ticket: TicketView | None) -> Row:
    step = f"{steady(agent.current_step)} {agent.step_number}/{agent.step_count}" if agent.current_step else ""
    if agent.needs is None:
        section, what, since, mark = Section.RUNNING, step or agent.state.name, agent.state.since, marks.of_agent(agent)
        tail = "no progress" if agent.stalled else _idle(agent) or steady(agent.last_title)
    else:
        section, tail = Section.NEEDS_YOU, steady(agent.needs)
        what = review.kind if review is not None else "input"
        since = review.opened_at if review is not None else agent.state.since
        mark = marks.of_review(review.kind) if review is not None else marks.NEEDS_YOU
    return Row(
        key=agent.ticket_id,
        section=section,
        mark=mark,
        type=agent.ticket_type,
        what=what,
        since=since,
        title=steady(ticket.title if ticket is not None else agent.title),
        tail=tail,
        driver=steady(agent.driver),
        branch=steady(agent.branch or ""),
        agent=agent.id,
        review=agent.review_id,
    )


def _idle(agent: AgentView) -> str:
    return steady(agent.state.evidence) if agent.state.name == "idle" else ""


def _waiting_row(ticket: TicketView, review: ReviewView | None) -> Row:
    """A ticket without a living agent that is not in the queue: its branch waits for a verdict, or its agent is new."""
    needs = ticket.status == "awaiting"
    return Row(
        key=ticket.id,
        section=Section.NEEDS_YOU if needs else Section.RUNNING,
        mark=marks.of_review(review.kind) if review is not None else marks.of_ticket(ticket.status),
        type=ticket.type,
        what=review.kind if review is not None else ticket.status,
        since=review.opened_at if review is not None else ticket.since,
        title=steady(ticket.title),
        tail=steady(ticket.reason or ""),
        branch=steady(ticket.branch or ""),
        agent=ticket.agent_id,
        review=review.id if review is not None else None,
    )


def _ticket_row(ticket: TicketView, section: Section) -> Row:
    return Row(
        key=ticket.id,
        section=section,
        mark=marks.of_ticket(ticket.status),
        type=ticket.type,
        what=ticket.type if section is Section.QUEUE else ticket.status,
        since=ticket.since,
        title=steady(ticket.title),
        tail=steady(ticket.reason or "") if ticket.status in ("parked", "failed") else "",
        branch=steady(ticket.branch or ""),
        agent=ticket.agent_id,
    )


def layout_of(rows: Iterable[Row], wanted: str = "") -> Layout:
    """Which rows stand where; only those in which the wanted words all occur."""
    words = wanted.casefold().split()
    found: dict[Section, list[str]] = {section: [] for section in Section}
    for row in rows:
        if _fits(row, words):
            found[row.section].append(row.key)
    return {section: tuple(keys) for section, keys in found.items()}


def _fits(row: Row, words: Sequence[str]) -> bool:
    if not words:
        return True
    parts = (row.key, row.type, row.title, row.what, row.driver, row.section, row.branch, row.tail)
    text = " ".join(parts).casefold()
    return all(word in text for word in words)


def lines_of(layout: Layout, rows: Mapping[str, Row]) -> list[Line]:
    """The board's lines from top to bottom."""
    lines: list[Line] = []
    for section, keys in layout.items():
        lines.append(Heading(section, len(keys)))
        lines += [rows[key] for key in keys] or [Note(EMPTY[section])]
    return lines


def arrived(before: Layout, after: Layout) -> tuple[str, ...]:
    """What needs a person in `after` that did not in `before`."""
    known = set(before.get(Section.NEEDS_YOU, ()))
    return tuple(key for key in after.get(Section.NEEDS_YOU, ()) if key not in known)
