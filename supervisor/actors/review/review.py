"""The review actor: it alone writes step progress and reviews.

What needs a look at a worktree, or waits for a verdict's delivery, runs in a task per agent, so that a slow disk
keeps only its own agent waiting; for one agent, things are done one after the other.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog
import trio

from supervisor.actors.fleet import Fleet
from supervisor.actors.kit import Bell, Clock, Inbox, ask
from supervisor.actors.review.book import Book
from supervisor.actors.review.hearing import Ask, Decide, Dismiss, Hearing, Held, Message
from supervisor.actors.review.pulls import watch_pulls
from supervisor.actors.review.stepper import Stepper, Tools
from supervisor.actors.store import Store
from supervisor.domain import permissions, phases, review, steps
from supervisor.domain.activity import Entry
from supervisor.domain.agent import GONE, Opened, Retired
from supervisor.domain.config import PermissionRule
from supervisor.domain.errors import ActorGone, Ambiguous, OperatorError
from supervisor.domain.ids import AgentId, ReviewId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import Progress
from supervisor.domain.review import Approved, Rejected, Request, Verdict

log = structlog.get_logger()

LOOK_DEADLINE = 60.0
AGAIN_AFTER = 1.0
"""Seconds until an agent whose step could not be moved on is looked at again."""
RULE = "a rule of operator.toml"
"""Who decides where no person is asked."""


class Review:
    """The handle, and the actor behind it."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        tools: Tools,
        types: Mapping[str, IssueType],
        rules: tuple[PermissionRule, ...],
        clock: Clock,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._rules = rules
        self._clock = clock
        self._book = Book(store, clock)
        self._pulls = tools.pulls
        self._stepper = Stepper(self._book, fleet, tools, types)
        self._hearing = Hearing(self._book, fleet, self._stepper)
        self._wake = Bell()
        self._inbox: Inbox[Message] = Inbox("the reviews", 64, self._wake)
        self._dirty: set[AgentId] = set()
        self._busy: set[AgentId] = set()
        self._resting: dict[AgentId, datetime] = {}
        self._letting_go = False
        fleet.on_change(self._rung)

    # --- the handle: reads ------------------------------------------------------------------------

    @property
    def progress(self) -> Mapping[AgentId, Progress]:
        """How far each agent has come; the latest committed records."""
        return MappingProxyType(self._book.progress)

    @property
    def open(self) -> Mapping[ReviewId, review.Review]:
        """The reviews that are pending, and those whose verdict is not where it acts yet."""
        return MappingProxyType(self._book.open)

    def pending(self, agent_id: AgentId) -> tuple[review.Review, ...]:
        """The agent's pending reviews, oldest first."""
        return self._book.pending(agent_id)

    def is_held(self, review_id: ReviewId) -> bool:
        """Whether a hook waits for its verdict right now."""
        return review_id in self._book.holds

    def addressee(self, ref: str) -> AgentId:
        """The agent that a verdict for an agent's or a ticket's id is meant for. Raises NotFound or Ambiguous."""
        waiting = [each for each in self._book.open.values() if each.pending]
        if AgentId(ref) in {each.agent_id for each in waiting}:
            return AgentId(ref)
        asked = {each.agent_id for each in waiting if each.ticket_id == ref}
        if len(asked) > 1:
            raise Ambiguous(f"several agents of {ref} have pending reviews: {', '.join(sorted(asked))}")
        return asked.pop() if asked else self._fleet.resolve(ref)

    async def waited_for(self, review_id: ReviewId | None) -> review.Review | None:
        """The review that a ticket without an agent waits for; one that is pending costs no look into the store."""
        return await self._book.lookup(review_id) if review_id is not None else None

    async def find(self, review_id: ReviewId) -> review.Review:
        """One review, however old. Raises NotFound."""
        return await self._book.find(review_id)

    async def listed(self, status: str | None, ticket: str | None, limit: int) -> list[review.Review]:
        """Reviews, newest first."""
        if status == "pending":
            found = [each for each in self._book.open.values() if each.pending]
        elif ticket is not None:
            found = await self._store.load(review.Review, ticket_id=ticket)
        else:
            found = await self._store.load(review.Review, **({"status": status} if status is not None else {}))
        wanted = [each for each in found if status in (None, each.status) and ticket in (None, each.ticket_id)]
        return sorted(wanted, key=lambda each: each.id, reverse=True)[:limit]

    def on_change(self, bell: Bell) -> None:
        """`bell` is rung whenever an agent's progress, reviews, record or activity changed."""
        self._book.bells.append(bell)

    async def alive(self) -> None:
        """Return once the actor has come round its loop: never, if it is stuck."""
        await self._wake.heard()

    # --- the handle: asks -------------------------------------------------------------------------

    async def decide(self, agent_id: AgentId, review_id: ReviewId | None, verdict: Verdict) -> review.Review:
        """Store a verdict and set about carrying it out; the review as it is then.

        Raises NotFound, NoReview, StaleReview, Ambiguous, AlreadyDecided, Invalid or AnswerAtTerminal.
        """
        return await ask(self._inbox, lambda reply: Decide(agent_id, review_id, verdict, reply))

    async def dismiss(self, review_id: ReviewId, why: str) -> None:
        """It need not be decided any more: the caller owns what it was about. Done soon after this returns."""
        await self._inbox.put(Dismiss(review_id, why))

    async def hold(self, agent_id: AgentId, request: Request, asked_at: datetime | None) -> dict[str, object]:
        """What a hook is to be answered: at once by a rule, else when its review is decided; with nothing when it was
        overtaken at the terminal, or let go. No actor waits with it."""
        agent = self._fleet.agent(agent_id)
        driver = self._fleet.driver(agent)
        if driver is None or self._letting_go:
            return {}
        ruling = permissions.ruling(self._rules, agent.driver, request)
        if ruling is not None:
            ruled = driver.answer(request, await self._ruled(agent_id, request, ruling), None)
            return await self._given(agent_id, request, ruled)
        held: Held | None = await ask(self._inbox, lambda reply: Ask(agent_id, request, asked_at, reply))
        if held is None or self._letting_go:
            return {}
        try:
            outcome = await held.outcome.wait()
        except ActorGone:
            return {}
        finally:
            self._no_longer(held)
        answer = driver.answer(request, outcome.decision, self._hearing.mode_after(agent))
        return await self._given(agent_id, request, answer)

    async def _given(self, agent_id: AgentId, request: Request, answer: dict[str, object]) -> dict[str, object]:
        """The answer that a hook is about to get; its agent's session is told, for it may see nothing of that."""
        if answer:
            try:
                await self._fleet.session(agent_id).answered(request)
            except OperatorError as error:
                log.info("answer not noted", agent=agent_id, code=error.code)  # what follows is seen anyway
        return answer

    async def _ruled(
        self, agent_id: AgentId, request: Request, ruling: permissions.Allow | permissions.Deny
    ) -> Approved | Rejected:
        now, denied = self._clock(), isinstance(ruling, permissions.Deny)
        entry = Entry(
            "permission.denied" if denied else "permission.allowed",
            now,
            self._fleet.agent(agent_id).ticket_id,
            agent_id,
            {"tool": request.tool, "question": request.question, "by": RULE},
        )
        await self._store.commit(entries=[entry], durable=False)
        if isinstance(ruling, permissions.Deny):
            return Rejected(now, RULE, ruling.reason or "a rule of this project does not allow it")
        return Approved(now, RULE)

    def _no_longer(self, held: Held) -> None:
        if self._book.holds.get(held.review.id) is held.outcome:
            del self._book.holds[held.review.id]
            self._rung(held.review.agent_id)

    def let_go(self) -> None:
        """Answer every waiting hook with nothing: the agents' own dialogs stay open. From now on none is held."""
        self._letting_go = True
        for review_id, outcome in list(self._book.holds.items()):
            if review_id in self._book.open:
                outcome.give(self._book.open[review_id])

    # --- the actor --------------------------------------------------------------------------------

    def _rung(self, agent_id: AgentId) -> None:
        self._dirty.add(agent_id)
        self._wake.ring()
        self._book.ring()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await self._book.load()
        self._busy.clear()
        self._resting.clear()
        self._dirty |= set(self._fleet.agents)
        self._wake.ring()
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_pulls, self._book, self._fleet, self._pulls, self.decide)
            while True:
                await self._wake.wait()
                while (message := self._inbox.get_nowait()) is not None:
                    nursery.start_soon(self._serve, message)
                for agent_id in self._dirty - self._busy:
                    self._dirty.discard(agent_id)
                    if self._is_of_interest(agent_id):
                        self._busy.add(agent_id)
                        nursery.start_soon(self._advance, agent_id, nursery)

    async def _serve(self, message: Message) -> None:
        await self._hearing.serve(message)
        if isinstance(message, Decide):
            self._rung(message.agent_id)  # what follows from the verdict is the agent's next move

    def drain(self) -> None:
        self._inbox.drain(_failed)

    def _is_of_interest(self, agent_id: AgentId) -> bool:
        agent, progress = self._fleet.agents.get(agent_id), self._book.progress.get(agent_id)
        if agent is None:
            return False
        if any(each.by_hook for each in self._book.of(agent_id)):
            return True
        if progress is not None and isinstance(progress.phase, phases.OVER):
            return False
        if isinstance(agent.phase, Retired) and progress is not None:
            # Of one that was given up while it lived, nothing more will be seen.
            return isinstance(self._fleet.activities[agent_id].state, GONE)
        return isinstance(agent.phase, Opened)

    async def _advance(self, agent_id: AgentId, nursery: trio.Nursery) -> None:
        """Look after one agent's reviews, and move its step on as far as it goes now."""
        again: float | None = None
        try:
            with trio.move_on_after(LOOK_DEADLINE) as scope:
                async with self._hearing.turns[agent_id]:
                    await self._hearing.attend(agent_id)
                    while self._can_move(agent_id) and await self._stepper.one_move(self._fleet.agents[agent_id]):
                        pass
            again = AGAIN_AFTER if scope.cancelled_caught else None
        except OperatorError as error:
            log.warning("step not moved on", agent=agent_id, code=error.code, reason=error.message)
            again = None if await self._stepper.given_up(self._fleet.agents[agent_id], error) else AGAIN_AFTER
        finally:
            self._busy.discard(agent_id)
        when = self._clock() + timedelta(seconds=again) if again is not None else self._due(agent_id)
        if when is not None and (known := self._resting.get(agent_id)) != when and (known is None or when < known):
            self._resting[agent_id] = when
            nursery.start_soon(self._look_again, agent_id, when)
        if agent_id in self._dirty:
            self._wake.ring()

    def _can_move(self, agent_id: AgentId) -> bool:
        progress, agent = self._book.progress.get(agent_id), self._fleet.agents[agent_id]
        if progress is not None and isinstance(progress.phase, phases.OVER):
            return False
        return isinstance(agent.phase, Opened) or progress is not None

    def _due(self, agent_id: AgentId) -> datetime | None:
        """When something follows although nothing rings: a rest is over, a run's time is used up, or an answer that a
        hook was given has had no effect."""
        progress, whens = self._book.progress.get(agent_id), [self._hearing.due(agent_id)]
        if progress is not None and isinstance(progress.phase, phases.Resting):
            whens.append(progress.phase.until)
        elif progress is not None:
            kind = self._stepper.kind(self._fleet.agents[agent_id])
            whens.append(steps.deadline(progress, kind.steps[min(progress.step, len(kind.steps) - 1)]))
        return min((when for when in whens if when is not None), default=None)

    async def _look_again(self, agent_id: AgentId, when: datetime) -> None:
        """One look at `when`, from one task however often others ring meanwhile."""
        await trio.sleep(max(0.0, (when - self._clock()).total_seconds()))
        if self._resting.get(agent_id) == when:
            del self._resting[agent_id]
        self._dirty.add(agent_id)
        self._wake.ring()


def _failed(message: Message, error: Exception) -> None:
    if not isinstance(message, Dismiss):
        message.reply.fail(error)
