"""Putting agents on tickets, and moving tickets to where their agents have come."""

import random
from datetime import timedelta

import structlog
from attrs import evolve

from supervisor.actors import review as reviews
from supervisor.actors.fleet import Fleet, LaunchOrder
from supervisor.actors.queue.desk import Desk
from supervisor.domain.agent import OVER, Agent
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.errors import ActorGone, Conflict, NoSlot, NotEligible, OperatorError, TicketTaken, TooSlow
from supervisor.domain.ids import AgentId, agent_id_for
from supervisor.domain.lifecycle import Limits, settle, taken_again
from supervisor.domain.phases import HandedOver
from supervisor.domain.projections import needs_person
from supervisor.domain.queue import Lane, Obstacle, Settings, full, route
from supervisor.domain.ticket import ENDED, Launching, Parked, ParkReason, Queued, Ticket, holder, move
from supervisor.domain.verdicts import concerns, settled_review

log = structlog.get_logger()


ENDING_WAIT = timedelta(seconds=1)
"""How long a ticket waits for its last agent to be gone before it is looked at again."""


class Dispatch:
    """A part of the queue actor: used in its task only, but for the counts."""

    def __init__(self, desk: Desk, fleet: Fleet, review: reviews.Review, settings: Settings) -> None:
        self._desk = desk
        self._fleet = fleet
        self._review = review
        self._settings = settings
        self._random = random.Random()

    def awaiting(self) -> int:
        """How many tickets wait for a person: of those that agents hold, and of those whose review needs no agent."""
        agents = (holder(ticket) for ticket in self._desk.shelf.held())
        known = ((self._fleet.activities.get(each), self._review.progress.get(each)) for each in agents if each)
        held = sum(
            activity is not None and needs_person(activity, progress) is not None for activity, progress in known
        )
        return held + self.shelved()

    def shelved(self) -> int:
        """How many tickets wait for a review without an agent."""
        return len(self._desk.shelf.in_review())

    def awaiting_full(self) -> bool:
        """Whether so many tickets wait for people that no more are started (`queue.max_awaiting`)."""
        limit = self._settings.queue.max_awaiting
        return limit is not None and self.awaiting() >= limit

    async def fill(self) -> None:
        """Put agents on the first tickets in line while slots are free."""
        while not self.awaiting_full():
            chosen = self._desk.shelf.backlog.best(self._fleet.load(), self._settings)
            if chosen is None:
                return
            ticket_id, lane = chosen
            ticket = self._desk.shelf.tickets[ticket_id]
            ending = self._still_ending(ticket)
            if ending is not None:
                now = self._desk.clock()
                why = f"its last agent, {ending}, is still ending"
                await self._desk.move(ticket, Parked(now, ParkReason.RETRY, why, now + ENDING_WAIT))
                continue
            try:
                await self._launch(ticket, lane)
            except (TooSlow, ActorGone) as error:
                log.warning("launch not ordered yet", ticket=ticket_id, reason=error.message)
                return

    async def launch_by_name(self, ticket: Ticket, force: bool) -> AgentId:
        taken = holder(ticket)
        if taken is not None:
            raise TicketTaken(
                f"{ticket.id} is held by agent {taken}", hint=f"operator attach {ticket.id}", agent_id=taken
            )
        if isinstance(ticket.status, ENDED):
            raise Conflict(f"{ticket.id} is {ticket.status_name}", hint=f"operator ticket retry {ticket.id}")
        ending = self._still_ending(ticket)
        if ending is not None:
            raise Conflict(
                f"the last agent of {ticket.id}, {ending}, is still ending", hint="try again in a few seconds"
            )
        lane = route(ticket, self._settings)
        if isinstance(lane, Obstacle):
            raise NotEligible(f"{ticket.id}: {lane.detail}", hint=lane.hint)
        if not force:
            blockers = self._desk.shelf.open_blockers(ticket)
            if blockers:
                raise NotEligible(f"{ticket.id} is blocked by {', '.join(blockers)}", hint="--force launches it anyway")
            no_slot = full(lane, self._fleet.load(), self._settings)
            if no_slot is not None:
                raise NoSlot(f"{ticket.id} cannot start: {no_slot}", hint="--force launches it anyway")
        return await self._launch(ticket, lane)

    def _still_ending(self, ticket: Ticket) -> AgentId | None:
        """An agent that no longer holds the ticket but still works in its worktree."""
        last = self._fleet.agents.get(ticket.agent_id) if ticket.agent_id is not None else None
        return last.id if last is not None and not isinstance(last.phase, OVER) else None

    async def _launch(self, ticket: Ticket, lane: Lane) -> AgentId:
        agent_id = agent_id_for(ticket.id, ticket.launches + 1)
        last = self._review.progress.get(ticket.agent_id) if ticket.agent_id is not None else None
        counted = evolve(taken_again(ticket, last), launches=ticket.launches + 1)
        launching = await self._desk.move(counted, Launching(self._desk.clock(), agent_id))
        await self._order(launching, agent_id, lane)
        return agent_id

    async def _order(self, ticket: Ticket, agent_id: AgentId, lane: Lane) -> None:
        steps = self._settings.types[lane.type].steps
        first = steps[min(ticket.resume.step, len(steps) - 1)]
        await self._fleet.launch(
            LaunchOrder(
                agent_id, ticket.id, ticket.title, lane, ticket.attempts + 1, ticket.collection, ticket.external_id,
                first.permission_mode,
            )
        )  # fmt: skip

    # --- what became of agents --------------------------------------------------------------------------

    async def settle_held(self) -> None:
        """Move held tickets to where their agents have come, and end agents that hold no ticket any more."""
        for ticket in self._desk.shelf.held():
            agent_id = holder(ticket)
            assert agent_id is not None
            agent = self._fleet.agents.get(agent_id)
            if agent is None:
                await self._order_again(ticket, agent_id)
                continue
            progress = self._review.progress.get(agent_id)
            if progress is not None and isinstance(progress.phase, HandedOver) and not isinstance(agent.phase, OVER):
                if not self._fleet.is_ending(agent_id):
                    await self.retire(agent_id, progress.phase.why, politely=True)
                continue
            limits = Limits(self._settings.queue, self._random.uniform(-1, 1))
            now = self._desk.clock()
            activity = self._fleet.activities.get(agent_id)
            settled = settle(ticket, agent, activity, progress, limits, now)
            if settled is not None:
                await self._heed_limit(agent, settled)  # first: killed between the two, the limit is known
                moved = await self._desk.move(settled, settled.status, before=ticket.status)
                following = holder(moved)
                if following is not None and following != agent_id:
                    await self._order_again(moved, following)
        await self._settle_reviews()
        for agent in self.strays():
            if not self._fleet.is_ending(agent.id):
                await self.retire(agent.id, "its ticket is over", politely=True)

    async def _settle_reviews(self) -> None:
        """Move tickets on that wait for a review without an agent, and end reviews that are about nothing any more."""
        for ticket in self._desk.shelf.in_review():
            review = await self._review.waited_for(ticket.resume.review_id)
            kind = self._settings.types.get(ticket.type) or BUILT_IN["TASK"]
            settled = settled_review(ticket, review, kind, self._desk.clock()) if review is not None else None
            if settled is not None:
                await self._desk.move(settled, settled.status, before=ticket.status)
        for review in list(self._review.open.values()):
            known = self._desk.shelf.tickets.get(review.ticket_id)
            if review.pending and (known is None or not concerns(review, known)):
                await self._review.dismiss(review.id, "its ticket is not in that agent's hands any more")

    async def _heed_limit(self, agent: Agent, ticket: Ticket) -> None:
        """One agent at its CLI's usage limit speaks for all tickets of its driver."""
        status = ticket.status
        if isinstance(status, Parked) and status.reason is ParkReason.USAGE_LIMIT and status.until is not None:
            await self._desk.limit(agent.driver, status.until)

    async def _order_again(self, ticket: Ticket, agent_id: AgentId) -> None:
        """The decision was stored, the order was not: give it now."""
        lane = route(ticket, self._settings)
        if isinstance(lane, Lane):
            try:
                await self._order(ticket, agent_id, lane)
            except (TooSlow, ActorGone) as error:
                log.warning("launch not ordered yet", ticket=ticket.id, reason=error.message)
        else:
            await self._desk.move(
                ticket, self._desk.shelf.assessed(move(ticket, Queued(self._desk.clock())), self._desk.clock())
            )

    def strays(self) -> list[Agent]:
        """Agents that live although their ticket is not theirs."""
        live = (each for each in self._fleet.agents.values() if not isinstance(each.phase, OVER))
        return [each for each in live if not self._holds(each)]

    def _holds(self, agent: Agent) -> bool:
        ticket = self._desk.shelf.tickets.get(agent.ticket_id)
        return ticket is not None and holder(ticket) == agent.id

    async def retire(self, agent_id: AgentId, reason: str, *, politely: bool) -> None:
        try:
            await self._fleet.retire(agent_id, reason, politely=politely)
        except OperatorError as error:
            # The next look finds the agent still alive without a ticket, and asks again.
            log.warning("agent not retired yet", agent=agent_id, reason=error.message)
