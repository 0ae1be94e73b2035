"""What boards are told of the work on tickets, beside their moves: that people are asked, and how far it is."""

from supervisor.actors import review as reviews
from supervisor.actors.queue.desk import Desk
from supervisor.domain.ids import AgentId
from supervisor.domain.outbox import mark, news, stage
from supervisor.domain.review import Review
from supervisor.domain.ticket import Ticket, WriteKind


class Herald:
    """A part of the queue actor: used in its task only. It holds nothing; what was told, the desk knows."""

    def __init__(self, desk: Desk, review: reviews.Review) -> None:
        self._desk = desk
        self._review = review

    async def tell(self) -> None:
        """Look at every ticket that is worked on or waits for a review, and store what its board does not know."""
        shelf = self._desk.shelf
        told = [ticket for ticket in (*shelf.held(), *shelf.in_review()) if self._is_told(ticket)]
        if not told:
            return
        by_agent: dict[AgentId, list[Review]] = {}
        for review in self._review.open.values():
            by_agent.setdefault(review.agent_id, []).append(review)
        found: list[tuple[Ticket, WriteKind, str]] = []
        for ticket in told:
            agent_id = ticket.agent_id
            progress = self._review.progress.get(agent_id) if agent_id is not None else None
            opened = by_agent.get(agent_id, []) if agent_id is not None else []
            about = mark(ticket, progress, opened)
            kind = news(self._desk.told(ticket.id), stage(opened), about)
            if kind is not None:
                found.append((ticket, kind, about))
        await self._desk.tell(found)

    def _is_told(self, ticket: Ticket) -> bool:
        return self._desk.route(ticket.collection).comments and self._desk.tells(ticket)
