"""A house without actors: records in memory, and the same rules at their simplest."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import trio
from attrs import evolve

from supervisor.actors.activity import ActivityLog
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry
from supervisor.domain.agent import (
    Activity,
    Agent,
    Delivery,
    DeliveryState,
    Idle,
    LaunchFailed,
    LaunchPhase,
    Opened,
    Planned,
    Proof,
    Retired,
    Source,
)
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.errors import (
    Ambiguous,
    BoardAuth,
    Conflict,
    NotFound,
    SessionGone,
    TicketTaken,
    WorkspaceError,
)
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId, agent_id_for
from supervisor.domain.phases import Progress
from supervisor.domain.review import Request, Review, ReviewKind, Subject, Verdict, chosen, decide
from supervisor.domain.ticket import ENDED, WAITING, Cancelled, Done, Queued, Running, Ticket, move
from supervisor.domain.views import (
    CollectionView,
    QueueStatus,
    StatusView,
    StreamsView,
    SyncView,
    WriteView,
)
from supervisor.ports import Attach, Edit, Exported, TicketDraft
from supervisor.web.house import House

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class FakeSession:
    """An agent that takes every text but one."""

    def __init__(self, agent_id: AgentId) -> None:
        self._agent_id = agent_id
        self.typed: list[str] = []
        self.interrupts = 0
        self.written = b"0123456789"
        self.begins = 4
        self.shown = "> ready: ünïcödé 漢字"

    async def prompt(self, text: str, origin: str = "person", wait: float = 2.0) -> Delivery:
        self.typed.append(text)
        state = DeliveryState.PENDING if text == "later" else DeliveryState.SUBMITTED
        return Delivery(DeliveryId(f"{self._agent_id}.{len(self.typed)}"), self._agent_id, text, NOON, state)

    async def interrupt(self) -> None:
        self.interrupts += 1

    async def screen(self) -> str:
        return self.shown

    async def transcript(self, offset: int, limit: int) -> tuple[int, bytes]:
        start = max(offset, self.begins)
        return start, self.written[start : start + limit]

    def attach(self) -> Attach:
        return Attach(("tmux", "-S", "/run/x.sock", "attach", "-t", f"={self._agent_id}"))


class FakeFleet:
    def __init__(self) -> None:
        self.agents: dict[AgentId, Agent] = {}
        self.activities: dict[AgentId, Activity] = {}
        self.sessions: dict[AgentId, FakeSession] = {}
        self.patch = "--- a\n+++ b\n"
        self.after_launch: LaunchPhase | None = Opened(pid=1)
        """What a launch comes to; None: it is still under way."""
        self.files: dict[str, bytes] = {}
        """What every agent's worktree holds."""
        self.deliveries: dict[DeliveryId, Delivery] = {}

    def resolve(self, ref: str) -> AgentId:
        if AgentId(ref) in self.agents:
            return AgentId(ref)
        of_ticket = [each.id for each in self.agents.values() if each.ticket_id == ref]
        if not of_ticket:
            raise NotFound(f"there is no agent {ref}")
        return of_ticket[-1]

    def session(self, agent_id: AgentId) -> FakeSession:
        if agent_id not in self.sessions:
            raise SessionGone(f"agent {agent_id} has no session")
        return self.sessions[agent_id]

    async def settled(self, agent_id: AgentId) -> Agent:
        while isinstance(self.agents[agent_id].phase, Planned):
            await trio.sleep_forever()
        return self.agents[agent_id]

    async def diff(self, agent_id: AgentId) -> str:
        return self.patch

    async def artifact(self, agent_id: AgentId, name: str, limit: int) -> bytes:
        if name not in self.files:
            raise WorkspaceError(f"{name} is no file")
        return self.files[name]

    def delivery(self, agent_id: AgentId, delivery_id: DeliveryId) -> Delivery | None:
        return self.deliveries.get(delivery_id)

    def add(self, ticket: Ticket, phase: LaunchPhase) -> Agent:
        agent = Agent(
            id=agent_id_for(ticket.id, ticket.launches + 1),
            ticket_id=ticket.id,
            ticket_type=ticket.type,
            title=ticket.title,
            project="api",
            driver="claude",
            backend="tmux",
            started_at=NOON,
            phase=phase,
            worktree_path="/work/trees/x",
            worktree_created=True,
            branch=f"operator/{ticket.id}",
            session_id="op-1",
        )
        self.agents[agent.id] = agent
        if isinstance(phase, Opened):
            self.sessions[agent.id] = FakeSession(agent.id)
            self.activities[agent.id] = Activity(agent.id, Idle(Proof(NOON, Source.TITLE, "title says idle")))
        return agent


class FakeQueue:
    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        self.tickets: dict[TicketId, Ticket] = {}
        self.paused: str | None = None
        self.is_paused = False
        self.cancelled: list[tuple[str, str]] = []
        self.launched = 0

    def find(self, ref: str) -> Ticket:
        if TicketId(ref) in self.tickets:
            return self.tickets[TicketId(ref)]
        keyed = [each for each in self.tickets.values() if each.external_key == ref]
        if len(keyed) > 1:
            raise Ambiguous(f"{ref} fits {len(keyed)} tickets")
        if not keyed:
            raise NotFound(f"there is no ticket {ref}", hint="`operator ticket list` shows all")
        return keyed[0]

    def line(self, limit: int) -> list[Ticket]:
        return [each for each in self.tickets.values() if isinstance(each.status, WAITING)][:limit]

    async def launch(self, ticket_id: TicketId, force: bool) -> AgentId:
        ticket = self.find(ticket_id)
        if not isinstance(ticket.status, WAITING):
            raise TicketTaken(f"{ticket_id} is held by {ticket.agent_id}", agent_id=str(ticket.agent_id))
        self.launched += 1
        agent = self._fleet.add(ticket, self._fleet.after_launch or Planned())
        running = move(evolve(ticket, launches=ticket.launches + 1), Running(NOON, agent.id))
        self.tickets[ticket_id] = running
        return agent.id

    async def cancel(self, ticket_id: TicketId, reason: str) -> Ticket:
        self.cancelled.append((ticket_id, reason))
        return self._end(ticket_id, lambda ticket: move(ticket, Cancelled(NOON, reason)))

    async def done(self, ticket_id: TicketId) -> Ticket:
        return self._end(ticket_id, lambda ticket: move(ticket, Done(NOON)))

    def _end(self, ticket_id: TicketId, ended: Callable[[Ticket], Ticket]) -> Ticket:
        ticket = self.tickets[ticket_id]
        if isinstance(ticket.status, ENDED):
            raise Conflict(f"{ticket_id} is {ticket.status_name} already")
        self.tickets[ticket_id] = ended(ticket)
        return self.tickets[ticket_id]

    async def retry(self, ticket_id: TicketId) -> Ticket:
        self.tickets[ticket_id] = move(self.tickets[ticket_id], Queued(NOON))
        return self.tickets[ticket_id]

    async def clean(self, ticket_id: TicketId) -> Exported:
        if not isinstance(self.tickets[ticket_id].status, ENDED):
            raise Conflict(f"{ticket_id} is {self.tickets[ticket_id].status_name}")
        return Exported("/work/exports/x.tar.gz")

    async def stop(self, agent_id: AgentId) -> Ticket:
        agent = self._fleet.agents[agent_id]
        self._fleet.agents[agent_id] = evolve(agent, phase=Retired(NOON, "stopped"))
        return self.tickets[agent.ticket_id]

    async def pause(self, reason: str | None, who: str) -> None:
        self.paused, self.is_paused = reason, True

    async def resume(self, who: str) -> None:
        self.paused, self.is_paused = None, False


class FakeSync:
    def __init__(self, queue: FakeQueue) -> None:
        self._queue = queue
        self.bodies: dict[TicketId, str] = {}
        self.fails: Exception | None = None
        self.slow: trio.Event | None = None
        self.syncs = 0
        self.asked = trio.Event()
        self.owed: tuple[WriteView, ...] = ()
        self.heard_bodies: list[bytes] = []

    async def now(self, collection: str | None) -> SyncView:
        self.syncs += 1
        self.asked.set()
        if self.slow is not None:
            await self.slow.wait()
        if self.fails is not None:
            raise self.fails
        if collection not in (None, "backend"):
            raise NotFound(f"there is no collection {collection}")
        return SyncView(created=("ENG-1",), total_processed=1)

    def writes(self, collection: str) -> Sequence[WriteView]:
        if collection != "backend":
            raise NotFound(f"there is no collection {collection}")
        return self.owed

    def heard(self, collection: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        if collection != "backend":
            raise NotFound(f"there is no collection {collection}")
        if headers.get("x-signature") != "right":
            raise BoardAuth("it is not signed")
        self.heard_bodies.append(body)

    def collections(self) -> Sequence[CollectionView]:
        return (CollectionView("backend", "local", "/tickets", NOON, None, None, None, None, 0, ()),)

    async def create(self, draft: TicketDraft) -> Ticket:
        made = ticket(f"TASK-{len(self._queue.tickets) + 1}", title=draft.title, type=draft.type or "TASK")
        made = evolve(made, labels=draft.labels, priority=draft.priority)
        self._queue.tickets[made.id] = made
        self.bodies[made.id] = draft.body
        return made

    async def edit(self, ticket_id: TicketId, edit: Edit) -> Ticket:
        now = self._queue.tickets[ticket_id]
        self._queue.tickets[ticket_id] = evolve(now, title=edit.title or now.title)
        if edit.body is not None:
            self.bodies[ticket_id] = edit.body
        return self._queue.tickets[ticket_id]

    async def body(self, ticket_id: TicketId) -> str:
        return self.bodies.get(ticket_id, "")


class FakeReview:
    """Reviews in memory, decided by the domain's own rules; what a verdict leads to, the test says."""

    def __init__(self, fleet: FakeFleet) -> None:
        self._fleet = fleet
        self.progress: dict[AgentId, Progress] = {}
        self.all: dict[ReviewId, Review] = {}
        self.held: set[ReviewId] = set()
        self.fails: Exception | None = None
        self.comes_to: Callable[[Review], Review] = lambda decided: evolve(decided, told=True)

    @property
    def open(self) -> dict[ReviewId, Review]:
        return {number: each for number, each in self.all.items() if not each.told}

    def ask(self, agent_id: str, kind: ReviewKind, subject: Subject, number: int | None = None) -> Review:
        number, ticket = ReviewId(number or len(self.all) + 1), TicketId(agent_id.partition("~")[0])
        made = Review(number, kind, ticket, AgentId(agent_id), "do", 1, "Review this", NOON, subject)
        self.all[number] = made
        if made.by_hook:
            self.held.add(number)
        return made

    def pending(self, agent_id: AgentId) -> tuple[Review, ...]:
        return tuple(each for each in self.all.values() if each.pending and each.agent_id == agent_id)

    def addressee(self, ref: str) -> AgentId:
        asked = {each.agent_id for each in self.open.values() if each.pending and each.ticket_id == ref}
        return asked.pop() if asked else self._fleet.resolve(ref)

    def is_held(self, review_id: ReviewId) -> bool:
        return review_id in self.held

    async def find(self, review_id: ReviewId) -> Review:
        if review_id not in self.all:
            raise NotFound(f"there is no review {review_id}")
        return self.all[review_id]

    async def listed(self, status: str | None, ticket: str | None, limit: int) -> list[Review]:
        fitting = [
            each for each in self.all.values() if status in (None, each.status) and ticket in (None, each.ticket_id)
        ]
        return fitting[::-1][:limit]

    async def decide(self, agent_id: AgentId, review_id: ReviewId | None, verdict: Verdict) -> Review:
        named = None if review_id is None else self.all.get(review_id)
        decided = decide(chosen(self.pending(agent_id), agent_id, review_id, named), verdict)
        if self.fails is not None:
            raise self.fails
        self.held.discard(decided.id)
        self.all[decided.id] = self.comes_to(decided)
        return self.all[decided.id]

    async def hold(self, agent_id: AgentId, request: Request, asked_at: datetime | None) -> dict[str, object]:
        return {}


class FakeHouse:
    """All of it, with two tickets and no agent; only the store and its log are real."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.activity = ActivityLog(store)
        self.fleet = FakeFleet()
        self.queue = FakeQueue(self.fleet)
        self.sync = FakeSync(self.queue)
        self.review = FakeReview(self.fleet)
        for each in (ticket("ENG-1", title="First"), ticket("ENG-2", title="Second", external_key="board/2")):
            self.queue.tickets[each.id] = each

    async def happen(
        self, kind: str, ticket: str | None = None, agent: str | None = None, times: int = 1, **data: str | int
    ) -> None:
        """Record something, `times` times; each entry has its number in `data["n"]`."""
        named = (None if ticket is None else TicketId(ticket), None if agent is None else AgentId(agent))
        entries = [Entry(kind, NOON, *named, {"n": number, **data}) for number in range(times)]
        await self.store.commit(entries=entries, durable=False)

    def house(self) -> House:
        return House(
            queue=self.queue,
            sync=self.sync,
            fleet=self.fleet,
            review=self.review,
            activity=self.activity,
            types=BUILT_IN,
            hook_token=lambda agent_id: f"hook-{agent_id}",
            status=self.status,
        )

    def status(self) -> StatusView:
        counts = self._counts()
        return StatusView(
            version="0.1.0",
            paused=self.queue.is_paused,
            pause_reason=self.queue.paused,
            counts=counts,
            max_agents=4,
            agents=counts.in_progress,
            needs_you=0,
            collections=tuple(self.sync.collections()),
            backends=(),
            drivers=(),
            projects=("api",),
            streams=StreamsView("ws://127.0.0.1:1/api/v1/activity", "ws://127.0.0.1:1/api/v1/agents/{agent}/terminal"),
            since=NOON,
            state_dir="/state",
            head=self.activity.head,
            warnings=(),
        )

    def _counts(self) -> QueueStatus:
        names = [each.status_name for each in self.queue.tickets.values()]
        return QueueStatus(
            queued=names.count("queued"),
            in_progress=names.count("running"),
            awaiting=0,
            completed=names.count("done"),
            parked=0,
            failed=0,
            cancelled=names.count("cancelled"),
            by_type={},
        )


def ticket(ticket_id: str, *, title: str = "A ticket", type: str = "TASK", external_key: str | None = None) -> Ticket:
    return Ticket(
        id=TicketId(ticket_id),
        title=title,
        type=type,
        status=Queued(NOON),
        created_at=NOON,
        updated_at=NOON,
        external_key=external_key,
        collection="backend",
    )


FAILED = LaunchFailed(NOON, "driver_failed", "claude is not there", "install it")
