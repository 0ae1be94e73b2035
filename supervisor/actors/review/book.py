"""The review actor's records: progress and reviews, and the hooks that wait for a verdict right now."""

from collections.abc import Callable, Sequence

from attrs import evolve

from supervisor.actors.kit import Bell, Clock, Reply
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry, Value
from supervisor.domain.errors import NotFound
from supervisor.domain.ids import AgentId, ReviewId
from supervisor.domain.phases import Progress
from supervisor.domain.review import Review, Superseded, key_of
from supervisor.ports import Setting

NUMBER = "reviews"
"""The setting that holds the newest review's number."""


class Book:
    """A part of the review actor. Records are shown here only after they were committed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.progress: dict[AgentId, Progress] = {}
        self.open: dict[ReviewId, Review] = {}
        """Those that are pending, and those whose verdict is not where it acts yet."""
        self.holds: dict[ReviewId, Reply[Review]] = {}
        """The hooks that wait: each is given the review once it is decided, overtaken or let go."""
        self.bells: list[Bell] = []
        self._last = 0

    async def load(self) -> None:
        """What the store has; hooks that wait go on waiting."""
        self.progress = {each.agent_id: each for each in await self.store.load(Progress)}
        self.open = {each.id: each for each in await self.store.load(Review, told=False)}
        number = await self.store.get(Setting, NUMBER)
        self._last = int(number.value) if number is not None else 0

    def entry(self, kind: str, of: Review | Progress, /, **data: Value) -> Entry:
        return Entry(kind, self.clock(), of.ticket_id, of.agent_id, data)

    async def put(self, *records: Progress | Review, entries: Sequence[Entry] = (), durable: bool = True) -> None:
        """Commit, then show and ring."""
        await self.store.commit(*records, entries=entries, durable=durable)
        for record in records:
            self._show(record)
        self.ring()

    async def add(
        self, make: Callable[[ReviewId], Review], waits: Callable[[ReviewId], Progress] | None = None
    ) -> Review:
        """Open a review under the next number, together with the progress that waits for it.

        Nothing is awaited between taking the number and getting in line, so numbers are stored in their order.
        """
        self._last += 1
        review = make(ReviewId(self._last))
        also = (waits(review.id),) if waits is not None else ()
        opened = self.entry("review.opened", review, review=review.id, kind=review.kind, title=review.title)
        number = Setting(NUMBER, str(self._last))
        await self.store.commit(review, *also, number, entries=[opened])
        for record in (review, *also):
            self._show(record)
        self.ring()
        return review

    async def supersede(self, review: Review, why: str) -> None:
        """It need not be decided any more: say so, and let its hook go."""
        over = self.superseded(review, why)
        await self.put(over, entries=[self.entry_of(over)])
        self.release(over)

    def superseded(self, review: Review, why: str) -> Review:
        return evolve(review, decision=Superseded(self.clock(), why), told=True)

    def entry_of(self, review: Review) -> Entry:
        """The entry that tells how a review was decided."""
        decision = review.decision
        data: dict[str, Value] = {"review": review.id, "kind": review.kind}
        for name in ("by", "why", "reason"):
            if (value := getattr(decision, name, None)) is not None:
                data[name] = value[:2000]
        return self.entry(f"review.{review.status}", review, **data)

    def release(self, review: Review) -> bool:
        """Give a waiting hook its review; whether one waited."""
        hold = self.holds.get(review.id)
        if hold is None or hold.given:
            return False
        hold.give(review)
        return True

    def ring(self) -> None:
        for bell in self.bells:
            bell.ring()

    def _show(self, record: Progress | Review) -> None:
        if isinstance(record, Progress):
            self.progress[record.agent_id] = record
        elif record.told:
            self.open.pop(record.id, None)
        else:
            self.open[record.id] = record

    # --- looking up -------------------------------------------------------------------------------

    def of(self, agent_id: AgentId) -> tuple[Review, ...]:
        """The agent's open reviews, oldest first."""
        return tuple(sorted((each for each in self.open.values() if each.agent_id == agent_id), key=lambda e: e.id))

    def pending(self, agent_id: AgentId) -> tuple[Review, ...]:
        return tuple(each for each in self.of(agent_id) if each.pending)

    async def all_of(self, agent_id: AgentId) -> list[Review]:
        """The agent's reviews, also those that are over."""
        return await self.store.load(Review, agent_id=agent_id)

    async def lookup(self, review_id: ReviewId) -> Review | None:
        return self.open.get(review_id) or await self.store.get(Review, key_of(review_id))

    async def find(self, review_id: ReviewId) -> Review:
        found = await self.lookup(review_id)
        if found is None:
            raise NotFound(f"there is no review {review_id}", hint="`operator review list` shows what is pending")
        return found
