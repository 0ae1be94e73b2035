"""Worlds to show."""

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve

from clients.tui.world import World
from supervisor.domain.views import AgentView, EventView, Kanban, ReviewView, TicketDetail, TicketView
from tests.unit.clients.cli.samples import AGENT, NOW, PLAN, STATUS, TICKET, ago


def agent(number: int, *, needs: str | None = None, review: int | None = None, since: datetime = NOW) -> AgentView:
    """A running agent on ENG-`number`."""
    state = evolve(AGENT.state, since=since)
    name = f"ENG-{number}"
    about = {"id": f"{name}~1", "ticket_id": name, "title": f"Title {number}"}
    return evolve(AGENT, **about, needs=needs, review_id=review, state=state)


def ticket(number: int, status: str = "running", **changes: object) -> TicketView:
    return evolve(TICKET, id=f"ENG-{number}", status=status, title=f"Title {number}", **changes)  # type: ignore[misc]


def plan(number: int, of: int, text: str = "# A plan") -> ReviewView:
    """A pending plan of ENG-`of`."""
    return evolve(PLAN, id=number, ticket_id=f"ENG-{of}", agent_id=f"ENG-{of}~1", plan=text, opened_at=ago(minutes=4))


def world(
    agents: Iterable[AgentView] = (),
    reviews: Iterable[ReviewView] = (),
    queue: Iterable[TicketView] = (),
    done: Iterable[TicketView] = (),
    awaiting: Iterable[TicketView] = (),
    running: Iterable[TicketView] = (),
    parked: Iterable[TicketView] = (),
) -> World:
    listed = tuple(agents)
    held = tuple(ticket(int(each.ticket_id.removeprefix("ENG-"))) for each in listed if each.needs is None)
    waiting = tuple(
        ticket(int(each.ticket_id.removeprefix("ENG-")), "awaiting") for each in listed if each.needs is not None
    )
    kanban = Kanban(tuple(queue), (*held, *running), (*waiting, *awaiting), tuple(done), 99)
    by_number = {each.id: each for each in reviews}
    return World(STATUS, kanban, {each.id: each for each in listed}, by_number, tuple(parked))


def event(kind: str, *, seq: int = 1, ticket: str | None = None, agent: str | None = None) -> EventView:
    return EventView(seq, NOW, kind, ticket, agent, {})


def detail(view: TicketView, body: str) -> TicketDetail:
    names = [name for name in dir(view) if not name.startswith("_")]
    return TicketDetail(**{name: getattr(view, name) for name in names}, body=body)
