"""What a write tells in Operator's comment: how the work stands when it is written, not when it was intended."""

from collections.abc import Mapping

import trio
from attrs import evolve, frozen

from supervisor.actors.queue import Queue
from supervisor.actors.review import Review
from supervisor.domain import board_comment
from supervisor.domain.errors import NotFound
from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.ticket import BoardWrite

REVIEWS = 50
"""Of a ticket's reviews, the newest are told of."""
REMEMBERED = 1_000
"""Tickets whose comment is known; of the others it is written once more than needed."""


@frozen
class _Said:
    comment: str
    link: str | None
    at: float


class Teller:
    """Composes comments, and knows what was last said where."""

    def __init__(self, queue: Queue, review: Review, types: Mapping[str, IssueType]) -> None:
        self._queue = queue
        self._review = review
        self._types = types
        self._said: dict[TicketId, _Said] = {}

    async def tell(self, write: BoardWrite) -> BoardWrite:
        """The write with comment and link as they should be; without a comment if that is there already, or if there
        is nothing to tell. Raises StoreError."""
        try:
            ticket = self._queue.find(write.ticket_id)
        except NotFound:
            return write
        reviews = await self._review.listed(None, ticket.id, REVIEWS)
        if not board_comment.has_news(ticket, reviews):
            return write
        progress = self._review.progress.get(ticket.agent_id) if ticket.agent_id is not None else None
        text = board_comment.comment(ticket, self._types.get(ticket.type), progress, reviews)
        link = board_comment.pull_request(reviews)
        known = self._said.get(ticket.id)
        told = evolve(write, branch=ticket.branch or write.branch)
        if known is not None and (known.comment, known.link) == (text, link):
            return told
        return evolve(told, comment=text, link=link)

    def said_at(self, ticket_id: TicketId) -> float:
        """When its comment was last edited, by trio's clock."""
        known = self._said.get(ticket_id)
        return known.at if known is not None else float("-inf")

    def said(self, write: BoardWrite) -> None:
        """The board says it now."""
        if not write.comment:
            return
        self._said.pop(write.ticket_id, None)
        self._said[write.ticket_id] = _Said(write.comment, write.link, trio.current_time())
        while len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
