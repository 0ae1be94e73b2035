"""The views of what the house holds now."""

from supervisor.domain.agent import Activity, Agent, Proof, Source, Starting
from supervisor.domain.ids import AgentId
from supervisor.domain.projections import agent_view, ticket_detail, ticket_view
from supervisor.domain.ticket import Ticket, holder
from supervisor.domain.views import AgentView, TicketDetail, TicketView
from supervisor.web.house import House


def ticket_now(house: House, ticket: Ticket) -> TicketView:
    held = holder(ticket)
    activity = None if held is None else house.fleet.activities.get(held)
    progress = None if held is None else house.review.progress.get(held)
    return ticket_view(ticket, activity, progress, house.types)


async def ticket_with_body(house: House, ticket: Ticket, exported: str | None = None) -> TicketDetail:
    return ticket_detail(ticket_now(house, ticket), await house.sync.body(ticket.id), exported)


def agent_now(house: House, agent_id: AgentId) -> AgentView:
    agent = house.fleet.agents[agent_id]
    activity = house.fleet.activities.get(agent_id) or _not_yet(agent)
    return agent_view(agent, activity, house.review.progress.get(agent_id), house.types)


def _not_yet(agent: Agent) -> Activity:
    """An agent whose session was not opened yet has no activity of its own."""
    return Activity(agent.id, Starting(Proof(agent.started_at, Source.LAUNCH, "its launch is under way")))
