"""A ticket and all that happens to it, in records only: the pure engine, driven as the actors drive it."""

from collections import Counter
from datetime import timedelta
from typing import Any

from attrs import evolve

from supervisor.domain import lifecycle, steps, verdicts
from supervisor.domain.agent import (
    GONE,
    Activity,
    Agent,
    Asking,
    Delivery,
    DeliveryState,
    Exited,
    ExitStatus,
    Idle,
    Opened,
    Retired,
    Running,
    Starting,
)
from supervisor.domain.config import QueueConfig
from supervisor.domain.delivery import outcome_of
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, agent_id_for
from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import OVER, HandedOver, InReview, Phase, Progress, Prompting, Shelved, Working
from supervisor.domain.review import Approved, Rejected, Review, ReviewKind, Superseded, decide
from supervisor.domain.steps import Checked, NeedsCheck, NeedsReview, Scene, Wait
from supervisor.domain.ticket import (
    ENDED,
    HELD_BY_AGENT,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Resume,
    Ticket,
    holder,
    move,
)
from tests.unit.domain.samples import NOON, PROOF, SUBJECTS, agent, ticket

PENDING, TYPED, SUBMITTED, DELIVERED, REFUSED, UNKNOWN = DeliveryState
LIMITS = lifecycle.Limits(QueueConfig())
LEFT = Exited(PROOF, ExitStatus(code=0))


class World:
    """One ticket; at most one of its agents is at work."""

    def __init__(self, kind: IssueType, modes: bool) -> None:
        self.kind, self.modes = kind, modes
        self.now = NOON
        self.ticket: Ticket = ticket()
        self.agent: Agent | None = None
        self.activity = Activity(AgentId(""), Starting(PROOF))
        self.progress: Progress | None = None
        self.reviews: dict[ReviewId, Review] = {}
        self.deliveries: dict[DeliveryId, Delivery] = {}
        self.texts: dict[DeliveryId, str] = {}
        self.made: set[str] = set()
        self.judged = 0
        self.begun: Counter[int] = Counter()
        """How often each step was begun."""
        self.acted: Counter[ReviewId] = Counter()
        """How often each verdict led to something."""
        self.launch()

    @property
    def alive(self) -> bool:
        return self.agent is not None and not isinstance(self.activity.state, GONE)

    @property
    def at_work(self) -> bool:
        return isinstance(self.ticket.status, HELD_BY_AGENT)

    @property
    def phase(self) -> Phase | None:
        return self.progress.phase if self.progress is not None else None

    def scene(self) -> Scene:
        return Scene(self.activity, self.kind, self.now, self.modes, after_plan="default")

    # What the queue does.

    def launch(self) -> None:
        """Put an agent on the ticket, which waits in line."""
        assert not self.alive, "two agents in one worktree"
        taken = lifecycle.taken_again(self.ticket, self.progress)
        number = evolve(taken, launches=taken.launches + 1)
        self._open(move(number, Launching(self.now, agent_id_for(taken.id, number.launches))))

    def _open(self, held: Ticket) -> None:
        self.ticket, agent_id = held, holder(held)
        assert agent_id is not None
        step = self.kind.steps[min(held.resume.step, len(self.kind.steps) - 1)]
        self.agent = agent(Opened(7), id=agent_id, permission_mode=step.permission_mode)
        self.activity = Activity(agent_id, Starting(PROOF))
        self.progress, self.judged = None, 0
        self.made.clear()

    def settle(self) -> None:
        """Move the ticket to where its agent has come, and end an agent that does not hold it any more."""
        if isinstance(self.phase, HandedOver) and self.alive:
            self.end(LEFT)
        moved = lifecycle.settle(self.ticket, self.agent, self.activity, self.progress, LIMITS, self.now)
        if moved is not None and self.at_work:
            self.ticket = moved
            if holder(moved) not in (None, self.agent.id if self.agent else None):
                self._open(moved)
        if not self.at_work and self.alive:
            self.end(LEFT)
        self._settle_review()
        for review in list(self.reviews.values()):
            if review.pending and not verdicts.concerns(review, self.ticket):
                self._over(review, "its ticket is not in that agent's hands any more")

    def _settle_review(self) -> None:
        status = self.ticket.status
        if isinstance(status, Parked) and status.reason is ParkReason.REVIEW:
            assert self.ticket.resume.review_id is not None
            review = self.reviews[self.ticket.resume.review_id]
            moved = verdicts.settled_review(self.ticket, review, self.kind, self.now)
            if moved is not None:
                self.acted[review.id] += 1
                self.ticket = moved

    def wait_for_time(self) -> None:
        """What is parked until some time stands in line again when that comes."""
        status = self.ticket.status
        if isinstance(status, Parked) and status.until is not None:
            self.now = max(self.now, status.until)
            self.ticket = move(self.ticket, Queued(self.now))

    # What the review actor does.

    def look(self) -> None:
        """Move the step on as far as it goes."""
        for _ in range(30):
            before = self.phase
            if not self._one_move():
                return
            assert not isinstance(before, OVER)
        raise AssertionError(f"it never comes to rest: {self.progress}")

    def _one_move(self) -> bool:
        if self.agent is None:
            return False
        if self.progress is None:
            if not isinstance(self.agent.phase, Opened):
                return False
            self._show(verdicts.taken_up(self.ticket, self.agent.id, self.scene(), self.agent.permission_mode))
            return True
        if isinstance(self.progress.phase, Prompting):
            self._deliver(self.progress, self.progress.phase)
        phase = self.progress.phase
        named = phase.delivery_id if isinstance(phase, Prompting | Working) else None
        given = self.deliveries.get(named) if named is not None else None
        seen = steps.observe(self.progress, self.scene(), given)
        match seen:
            case Wait():
                return False
            case NeedsReview():
                self._review(self.progress)
            case NeedsCheck():
                self._show(self._judge(self.progress))
            case Progress():
                self._supersede(self.progress, seen)
                self._show(seen)
        return True

    def _judge(self, progress: Progress) -> Progress:
        if self.alive:
            assert self.activity.turns_ended > self.judged, "a turn was judged twice"
            self.judged = self.activity.turns_ended
        lacking = tuple(glob for glob in self.kind.steps[progress.step].artifacts if glob not in self.made)
        return steps.judge(progress, self.scene(), Checked(lacking))

    def _show(self, after: Progress) -> None:
        before, self.progress = self.progress, after
        place = (after.agent_id, after.step, after.run)
        if before is None or place != (before.agent_id, before.step, before.run):
            assert not self.begun[after.step] or after.why, f"step {after.step} is run again, and nobody knows why"
            assert before is None or after.run >= before.run
            self.begun[after.step] += 1
            self.made.clear()

    def _deliver(self, progress: Progress, phase: Prompting) -> None:
        text = phase.text or f"step {progress.step}, run {progress.run}"
        self.progress = evolve(progress, phase=evolve(phase, text=text))
        assert self.texts.setdefault(phase.delivery_id, text) == text, "one id for two prompts"
        assert progress.nudges < self.kind.steps[progress.step].max_turns
        if self.alive and phase.delivery_id not in self.deliveries:
            self.deliveries[phase.delivery_id] = Delivery(phase.delivery_id, progress.agent_id, text, self.now)

    def _review(self, progress: Progress) -> None:
        kind = self.kind.steps[progress.step].review
        assert kind is not None
        number = ReviewId(len(self.reviews) + 1)
        name = self.kind.steps[progress.step].name
        self.reviews[number] = Review(
            number, kind, self.ticket.id, progress.agent_id, name, progress.run, "t", self.now, SUBJECTS[kind]
        )
        if kind is ReviewKind.PR:
            waits: Phase = Shelved(self.now, Resume(progress.step, progress.run, review_id=number))
        else:
            waits = InReview(number, self.activity.turns_ended)
        self._show(evolve(progress, phase=waits))

    def _supersede(self, before: Progress, after: Progress) -> None:
        if isinstance(before.phase, InReview) and not isinstance(after.phase, InReview | Shelved):
            self._over(self.reviews[before.phase.review_id], steps.AT_TERMINAL)

    def _over(self, review: Review, why: str) -> None:
        self.reviews[review.id] = evolve(review, decision=Superseded(self.now, why))

    # What people do.

    def pending(self) -> Review | None:
        return next((each for each in self.reviews.values() if each.pending), None)

    def decided(self) -> list[ReviewId]:
        """The reviews that have a verdict."""
        return [each.id for each in self.reviews.values() if isinstance(each.decision, Approved | Rejected)]

    def decide(self, *, approve: bool) -> None:
        """Give the verdict that is awaited, if one is."""
        review, progress = self.pending(), self.progress
        if review is None or progress is None or isinstance(self.ticket.status, ENDED):
            return
        verdict = Approved(self.now, "ada") if approve else Rejected(self.now, "ada", "not so")
        decided = decide(review, verdict)
        match progress.phase:
            case InReview(review_id=number) if number == review.id:
                after = (
                    verdicts.approved(progress, self.scene())
                    if approve
                    else verdicts.rejected(progress, self.scene(), review, "not so")
                )
                self.acted[review.id] += 1
                self._show(after)
            case Shelved() if verdicts.concerns(review, self.ticket):
                pass  # the queue moves the ticket
            case _:
                return
        self.reviews[review.id] = decided

    def stop(self) -> None:
        """A person ends the agent; the ticket waits for a person."""
        if self.at_work:
            self.ticket = move(self.ticket, Parked(self.now, ParkReason.HELD, "a person stopped its agent"))

    def retry(self) -> None:
        """A person puts the ticket in line again; what was decided before that has moved it by then."""
        self._settle_review()
        if not self.at_work:
            self.ticket = move(evolve(self.ticket, attempts=0, losses=0), Queued(self.now))

    # What the session and its agent do.

    def open_delivery(self, *among: DeliveryState) -> Delivery | None:
        mine = self.agent.id if self.agent is not None else None
        found = [each for each in self.deliveries.values() if each.state in among and each.agent_id == mine]
        return found[0] if found and self.alive else None

    def type(self, *, refuse: bool = False) -> None:
        if (found := self.open_delivery(PENDING)) is not None and isinstance(self.activity.state, Idle):
            self.deliveries[found.id] = evolve(found, state=REFUSED if refuse else TYPED)

    def enter(self) -> None:
        if (found := self.open_delivery(TYPED)) is not None and isinstance(self.activity.state, Idle):
            self.deliveries[found.id] = evolve(found, state=SUBMITTED, turns_before=self.activity.turns_ended)
            self.activity = evolve(self.activity, state=Running(PROOF), turn_error=None, interrupted=False)

    def prove(self, *, taken: bool = True) -> None:
        if (found := self.open_delivery(SUBMITTED)) is not None:
            self.deliveries[found.id] = evolve(found, state=DELIVERED if taken else UNKNOWN)
            if not taken and isinstance(self.activity.state, Running):
                self.activity = evolve(self.activity, state=Asking(PROOF, "no reaction"))

    def turn_into(self, state: Any) -> None:
        """Become ready, begin by a person's own prompt, end a turn, ask, be answered."""
        if not self.alive:
            return
        ends = isinstance(state, Idle) and isinstance(self.activity.state, Running | Asking)
        well = {"turn_error": None, "limit_until": None, "interrupted": False}
        self.activity = evolve(self.activity, state=state, turns_ended=self.activity.turns_ended + ends, **well)

    def take_plan(self) -> None:
        """A plan that the CLI proposed is accepted."""
        if self.alive and isinstance(self.activity.state, Running):
            self.activity = evolve(self.activity, plans_taken=self.activity.plans_taken + 1)

    def end(self, state: Any) -> None:
        if not self.alive:
            return
        assert self.agent is not None
        self.activity = evolve(self.activity, state=state)
        for each in list(self.deliveries.values()):
            if each.agent_id == self.agent.id and each.state in (PENDING, TYPED, SUBMITTED):
                self.deliveries[each.id] = outcome_of(each, self.activity) or evolve(each, state=REFUSED)
        self.agent = evolve(self.agent, phase=Retired(self.now, "its process ended"))

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
