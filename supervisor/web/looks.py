"""The views of what the house holds now."""

from datetime import UTC, datetime

from supervisor.domain.agent import Activity, Agent, Proof, Source, Starting
from supervisor.domain.ids import AgentId
from supervisor.domain.projections import agent_view, awaits_without_agent, ticket_detail, ticket_view
from supervisor.domain.review import Review
from supervisor.domain.review_views import review_view
from supervisor.domain.ticket import Ticket, holder
from supervisor.domain.views import AgentView, ReviewView, TicketDetail, TicketView
from supervisor.web.house import House


def ticket_now(house: House, ticket: Ticket) -> TicketView:
    held = holder(ticket)
    activity = None if held is None else house.fleet.activities.get(held)
    progress = None if held is None else house.review.progress.get(held)
    return ticket_view(ticket, activity, progress, house.types, _reviews(house, ticket, held))


def _reviews(house: House, ticket: Ticket, held: AgentId | None) -> tuple[Review, ...]:
    """What is to be decided about a ticket."""
    if held is not None:
        return house.review.pending(held)
    waits_for = ticket.resume.review_id if awaits_without_agent(ticket) else None
    review = house.review.open.get(waits_for) if waits_for is not None else None
    return () if review is None else (review,)


async def ticket_with_body(house: House, ticket: Ticket, exported: str | None = None) -> TicketDetail:
    return ticket_detail(ticket_now(house, ticket), await house.sync.body(ticket.id), exported)


def agent_now(house: House, agent_id: AgentId) -> AgentView:
    agent = house.fleet.agents[agent_id]
    activity = house.fleet.activities.get(agent_id) or _not_yet(agent)
    progress = house.review.progress.get(agent_id)
    return agent_view(agent, activity, progress, house.types, house.review.pending(agent_id))


def review_now(house: House, review: Review) -> ReviewView:
    return review_view(review, datetime.now(UTC), house.review.is_held(review.id))


def _not_yet(agent: Agent) -> Activity:
    """An agent whose session was not opened yet has no activity of its own."""
    return Activity(agent.id, Starting(Proof(agent.started_at, Source.LAUNCH, "its launch is under way")))
