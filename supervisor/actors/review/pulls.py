"""Watching pull requests until they are merged or closed."""

import random
from collections.abc import Awaitable, Callable

import structlog
import trio

from supervisor.actors.fleet import Fleet
from supervisor.actors.review.book import Book
from supervisor.domain.agent import Agent
from supervisor.domain.errors import OperatorError
from supervisor.domain.ids import AgentId, ReviewId
from supervisor.domain.review import Approved, Changes, Review, Verdict
from supervisor.ports import PullRequest, PullRequests, PullState

log = structlog.get_logger()

INTERVAL = 60.0
"""Seconds between two looks, give or take a tenth."""
DEADLINE = 30.0
MERGED = "its merge"

Decider = Callable[[AgentId, ReviewId | None, Verdict], Awaitable[Review]]


async def watch_pulls(book: Book, fleet: Fleet, pulls: PullRequests, decide: Decider) -> None:
    """Approve the reviews whose pull request was merged, and end those whose was closed; one after the other."""
    jitter = random.Random()
    while True:
        for review in [each for each in book.open.values() if each.pending]:
            if isinstance(review.subject, Changes) and review.subject.url and review.subject.number is not None:
                pull = PullRequest(review.subject.url, review.subject.number)
                try:
                    await _look(book, fleet, pulls, decide, review, pull)
                except OperatorError as error:
                    log.warning("pull request not read", review=review.id, code=error.code, reason=error.message)
        await trio.sleep(INTERVAL * jitter.uniform(0.9, 1.1))


async def _look(
    book: Book, fleet: Fleet, pulls: PullRequests, decide: Decider, review: Review, pull: PullRequest
) -> None:
    agent = fleet.agents.get(review.agent_id) or await book.store.get(Agent, review.agent_id)
    if agent is None:
        return
    with trio.move_on_after(DEADLINE):  # noqa: ASYNC912  (every path awaits the provider)
        state = await pulls.state(agent.project, pull)
        if state is PullState.MERGED:
            await decide(review.agent_id, review.id, Approved(book.clock(), MERGED))
        elif state is PullState.CLOSED:
            await book.supersede(review, "its pull request was closed without merging")
