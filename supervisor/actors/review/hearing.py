"""Verdicts: who may give which, stored before anything acts on them, then carried to where they act, once."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import assert_never

import structlog
import trio
from attrs import evolve, field, frozen

from supervisor.actors.fleet import Fleet
from supervisor.actors.kit import Reply
from supervisor.actors.review.book import Book
from supervisor.actors.review.gather import one_line, plan_title
from supervisor.actors.review.stepper import Stepper
from supervisor.actors.session import SessionHandle
from supervisor.domain import phases
from supervisor.domain.agent import Agent
from supervisor.domain.errors import AnswerAtTerminal, NoReview, NotFound, SessionGone
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId
from supervisor.domain.phases import Progress
from supervisor.domain.review import (
    Pending,
    Permission,
    PlanText,
    Questions,
    Rejected,
    Request,
    Review,
    ReviewKind,
    Subject,
    Verdict,
    chosen,
    decide,
    overtaken,
    request_of,
)
from supervisor.domain.ticket import Ticket
from supervisor.domain.verdicts import approved, concerns, rejected
from supervisor.ports import AgentDriver

log = structlog.get_logger()

HOOK_GRACE = timedelta(seconds=3)
"""How long an agent may take to go on after its hook was answered; then its dialog is answered by keys, if it shows."""


@frozen
class Decide:
    """A person's verdict."""

    agent_id: AgentId
    review_id: ReviewId | None
    verdict: Verdict
    reply: Reply[Review] = field(repr=False)


@frozen
class Ask:
    """A hook that waits for an answer."""

    agent_id: AgentId
    request: Request
    asked_at: datetime | None
    reply: "Reply[Held | None]" = field(repr=False)


@frozen
class Dismiss:
    """What a review was about is over."""

    review_id: ReviewId
    why: str


Message = Decide | Ask | Dismiss


@frozen
class Held:
    """The review that a hook opened, and where it is told what became of it."""

    review: Review
    outcome: Reply[Review] = field(repr=False)


class Hearing:
    """A part of the review actor. What it does for one agent is done one after the other."""

    def __init__(self, book: Book, fleet: Fleet, stepper: Stepper) -> None:
        self._book = book
        self._fleet = fleet
        self._stepper = stepper
        self.turns: defaultdict[AgentId, trio.Lock] = defaultdict(trio.Lock)
        """Held while something is decided or moved for an agent."""
        self._given: dict[ReviewId, datetime] = {}
        """The verdicts that a hook was given and whose effect is not seen yet, and until when that may take."""

    async def serve(self, message: Message) -> None:
        match message:
            case Ask():
                await self.ask(message)
            case Decide():
                await self.decide(message)
            case Dismiss(review_id=review_id, why=why):
                found = self._book.open.get(review_id)
                if found is not None and found.pending:
                    async with self.turns[found.agent_id]:
                        await self.dismiss(review_id, why)
            case never:
                assert_never(never)

    async def dismiss(self, review_id: ReviewId, why: str) -> None:
        found = self._book.open.get(review_id)
        if found is not None and found.pending:
            await self._book.supersede(found, why)

    # --- what a hook asks -------------------------------------------------------------------------

    async def ask(self, message: Ask) -> None:
        with message.reply.answering():
            async with self.turns[message.agent_id]:
                message.reply.give(await self._opened(message.agent_id, message.request, message.asked_at))

    async def _opened(self, agent_id: AgentId, request: Request, asked_at: datetime | None) -> Held | None:
        """The request's review; None if the agent does not ask that any more. A hook that comes again takes the place
        of the one before it."""
        agent = self._fleet.agent(agent_id)
        same = [each for each in self._book.pending(agent_id) if request_of(each.subject) == request]
        known = next((each for each in same if each.asked_at == asked_at), None)
        if known is not None:
            self._book.release(known)  # undecided: the earlier hook is answered with nothing
            held = Held(known, Reply())
            self._book.holds[known.id] = held.outcome
            self._book.ring()
            return held
        step, run = self._step_of(agent)
        driver = self._driver(agent)
        title, subject = _subject(driver, request)
        now = self._book.clock()

        def make(number: ReviewId) -> Review:
            return Review(
                number, request.kind, agent.ticket_id, agent_id, step, run, title, now, subject, asked_at=asked_at
            )

        if overtaken(make(ReviewId(0)), self._fleet.activities[agent_id]) is not None:
            return None
        review = await self._book.add(make)
        held = Held(review, Reply())
        self._book.holds[review.id] = held.outcome
        return held

    def _step_of(self, agent: Agent) -> tuple[str, int]:
        progress, kind = self._book.progress.get(agent.id), self._stepper.kind(agent)
        if progress is None:
            return kind.steps[0].name, 1
        return kind.steps[min(progress.step, len(kind.steps) - 1)].name, progress.run

    def mode_after(self, agent: Agent) -> str | None:
        """The permission mode in which an approved plan is carried out: the next step's."""
        progress, kind = self._book.progress.get(agent.id), self._stepper.kind(agent)
        if progress is None or progress.step + 1 >= len(kind.steps):
            return None
        plans = kind.steps[progress.step].review is ReviewKind.PLAN
        return kind.steps[progress.step + 1].permission_mode if plans else None

    # --- what a person decides --------------------------------------------------------------------

    async def decide(self, message: Decide) -> None:
        with message.reply.answering():
            async with self.turns[message.agent_id]:
                named = await self._book.lookup(message.review_id) if message.review_id is not None else None
                known = self._book.pending(message.agent_id) or await self._book.all_of(message.agent_id)
                review = chosen(known, message.agent_id, message.review_id, named)
                decided = decide(review, message.verdict)
                carry = self._by_hook if review.by_hook else self._by_step
                message.reply.give(await carry(review, decided))

    async def _by_step(self, review: Review, decided: Review) -> Review:
        """The verdict and the step's move are one transaction."""
        progress = self._book.progress.get(review.agent_id)
        told = evolve(decided, told=True)
        match progress.phase if progress is not None else None:
            case phases.Shelved(resume=resume) if resume.review_id == review.id and await self._concerns(review):
                await self._book.put(told, entries=[self._book.entry_of(told)])
                return told
            case phases.InReview(review_id=review_id) if review_id == review.id and progress is not None:
                agent = self._fleet.agent(review.agent_id)
                scene = self._stepper.scene(agent)
                match decided.decision:
                    case Rejected(reason=reason):
                        after = rejected(progress, scene, review, reason)
                    case _:
                        after = approved(progress, scene)
                if isinstance(after.phase, phases.Prompting):
                    told = evolve(told, delivery_id=after.phase.delivery_id)
                entry = self._book.entry_of(told)
                await self._stepper.moved(agent, progress, after, scene, told, entries=[entry])
                return told
            case _:
                await self._book.supersede(review, "its step has gone on")
                raise NoReview(f"review {review.id} need not be decided any more: its step has gone on")

    async def _concerns(self, review: Review) -> bool:
        """Whether the ticket still waits for it: it may have been put in line again, which has not ended it yet."""
        ticket = await self._book.store.get(Ticket, review.ticket_id)
        return ticket is not None and concerns(review, ticket)

    async def _by_hook(self, review: Review, decided: Review) -> Review:
        """Stored, then given to the hook that waits; where none does, by keys at the dialog that is certainly there."""
        if review.id not in self._book.holds:
            await self._certain(review, decided)
            if isinstance(decided.decision, Rejected):
                decided = evolve(decided, delivery_id=DeliveryId(f"{review.agent_id}.review{review.id}"))
        await self._book.put(decided, entries=[self._book.entry_of(decided)])
        await self._carry(decided)
        return self._book.open.get(review.id) or evolve(decided, told=True)

    async def _certain(self, review: Review, decided: Review) -> None:
        """Raises AnswerAtTerminal unless the agent's screen shows the request's own dialog."""
        request, session = request_of(review.subject), self._session(review.agent_id)
        if request is None or session is None or not await session.shows(request):
            raise AnswerAtTerminal(
                f"review {review.id} cannot be decided from here: the hook that asked is gone, and the agent's screen "
                "does not certainly show its dialog",
                hint=f"operator attach {review.ticket_id}",
            )

    # --- carrying it out --------------------------------------------------------------------------

    async def attend(self, agent_id: AgentId) -> None:
        """Look after an agent's open reviews of hooks: one that was overtaken, one whose verdict is not told yet."""
        for review in self._book.of(agent_id):
            if not review.by_hook:
                continue
            why = overtaken(review, self._fleet.activities[agent_id])
            if why is not None:
                await self._book.supersede(review, why)
            elif not review.pending:
                await self._carry(review)

    def due(self, agent_id: AgentId) -> datetime | None:
        """When the agent is to be looked at again although nothing rings."""
        waits = (self._given.get(review.id) for review in self._book.of(agent_id))
        return min((when for when in waits if when is not None), default=None)

    async def _carry(self, review: Review) -> None:
        """Give a verdict to the hook that waits. It is told when the agent is seen to have gone on: an answer that was
        given may still be lost with its connection, or with us."""
        if self._book.release(review):
            self._given[review.id] = self._book.clock() + HOOK_GRACE
            return
        until = self._given.get(review.id)
        if until is None:
            await self.tell(review)
        elif self._left(review):
            del self._given[review.id]
            await self._book.put(evolve(review, told=True))
        elif self._book.clock() >= until:
            del self._given[review.id]
            await self.tell(review)

    def _left(self, review: Review) -> bool:
        """Whether the agent does not ask that any more."""
        activity = self._fleet.activities[review.agent_id]
        return overtaken(evolve(review, decision=Pending()), activity) is not None

    async def tell(self, review: Review) -> None:
        """Carry a verdict out for which no hook waits (any more).

        Where the dialog is gone, somebody or the hook itself has answered it: then only a reason may be owed.
        """
        session, request = self._session(review.agent_id), request_of(review.subject)
        if not self._left(review) and session is not None and request is not None:
            try:
                await session.press_verdict(request, review.decision)
            except (AnswerAtTerminal, SessionGone) as error:
                log.warning("verdict not told yet", review=review.id, reason=error.message)
                return
        also: tuple[Progress, ...] = ()
        if isinstance(review.decision, Rejected):
            review, also = await self._reason_told(review, review.decision.reason, session)
        await self._book.put(evolve(review, told=True), *also)

    async def _reason_told(
        self, review: Review, reason: str, session: SessionHandle | None
    ) -> tuple[Review, tuple[Progress, ...]]:
        """A key says no, but not why: the reason follows as a prompt, unless the conversation has it already.

        Of an agent that has ended, the next one is told why its plan was rejected.
        """
        agent, untyped = self._fleet.agent(review.agent_id), evolve(review, delivery_id=None)
        driver, conversation = self._fleet.driver(agent), agent.conversation_id
        if driver is not None and conversation is not None:
            known = await trio.to_thread.run_sync(driver.was_told, conversation, reason)
            if known:
                return untyped, ()
        if session is not None:
            delivery = review.delivery_id or DeliveryId(f"{review.agent_id}.review{review.id}")
            try:
                await session.deliver(delivery, reason, "review")
                return evolve(review, delivery_id=delivery), ()
            except SessionGone:
                pass
        progress = self._book.progress.get(review.agent_id)
        if review.kind is not ReviewKind.PLAN or progress is None or isinstance(progress.phase, phases.OVER):
            return untyped, ()
        return untyped, (evolve(progress, reason=reason, review_id=review.id),)

    def _session(self, agent_id: AgentId) -> SessionHandle | None:
        try:
            return self._fleet.session(agent_id)
        except (NotFound, SessionGone):
            return None

    def _driver(self, agent: Agent) -> AgentDriver:
        driver = self._fleet.driver(agent)
        if driver is None:
            raise NotFound(f"there is no driver {agent.driver} any more")
        return driver


def _subject(driver: AgentDriver, request: Request) -> tuple[str, Subject]:
    match request.kind:
        case ReviewKind.PLAN:
            text = driver.plan_text(request)
            return plan_title(text), PlanText(text, request=request)
        case ReviewKind.QUESTION:
            return one_line(request.question), Questions(request, driver.questions(request))
        case ReviewKind.PERMISSION | ReviewKind.VISUAL | ReviewKind.PR:
            return one_line(request.question), Permission(request)
        case never:
            assert_never(never)
