"""What the edge reads and asks: the actors' handles, gathered in one record, behind a gate."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from supervisor.actors.activity import ActivityLog
from supervisor.actors.session import Heard
from supervisor.domain.agent import Activity, Agent, Delivery, ExitStatus
from supervisor.domain.errors import Unavailable
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import Progress
from supervisor.domain.review import Request, Review, Verdict
from supervisor.domain.ticket import Ticket
from supervisor.domain.views import CollectionView, StatusView, SyncView, WriteView
from supervisor.ports import Attach, Edit, Exported, Replay, TicketDraft


class QueueHandle(Protocol):
    @property
    def tickets(self) -> Mapping[TicketId, Ticket]: ...

    def find(self, ref: str) -> Ticket:
        """By id, board key or unambiguous alias. Raises NotFound or Ambiguous."""

    def line(self, limit: int) -> Sequence[Ticket]:
        """Those that wait, in the order they will be taken."""

    async def launch(self, ticket_id: TicketId, force: bool) -> AgentId: ...

    async def cancel(self, ticket_id: TicketId, reason: str) -> Ticket: ...

    async def retry(self, ticket_id: TicketId) -> Ticket: ...

    async def done(self, ticket_id: TicketId) -> Ticket: ...

    async def clean(self, ticket_id: TicketId) -> Exported: ...

    async def stop(self, agent_id: AgentId) -> Ticket:
        """End an agent; its ticket waits until somebody retries it."""

    async def pause(self, reason: str | None, who: str) -> object: ...

    async def resume(self, who: str) -> None: ...


class SyncHandle(Protocol):
    async def now(self, collection: str | None) -> SyncView: ...

    def collections(self) -> Sequence[CollectionView]: ...

    def writes(self, collection: str) -> Sequence[WriteView]:
        """What its board is still to be told. Raises NotFound."""

    def heard(self, collection: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Raises NotFound, and BoardAuth for a webhook that is not the board's own."""

    async def create(self, draft: TicketDraft) -> Ticket: ...

    async def edit(self, ticket_id: TicketId, edit: Edit) -> Ticket: ...

    async def body(self, ticket_id: TicketId) -> str: ...


class SessionDoor(Protocol):
    async def prompt(self, text: str, origin: str = "person", wait: float = 2.0) -> Delivery: ...

    async def hear(self, payload: Mapping[str, object]) -> Heard: ...

    async def interrupt(self) -> None: ...

    async def screen(self) -> str: ...

    async def transcript(self, offset: int, limit: int) -> tuple[int, bytes]: ...

    @property
    def transcript_end(self) -> int: ...

    @property
    def exit(self) -> ExitStatus | None: ...

    @property
    def gone(self) -> str | None:
        """Why there is nothing to be seen of the terminal any more."""

    async def changed(self, seen: int) -> int:
        """Waits for more news than the `seen` there were; how many there are."""

    async def write(self, data: bytes) -> None:
        """What a person types. Raises SessionGone, BackendError or TooSlow, as all that asks the terminal."""

    async def resize(self, columns: int, rows: int) -> None: ...

    async def replay(self) -> Replay: ...

    def attach(self) -> Attach: ...


class FleetHandle(Protocol):
    @property
    def agents(self) -> Mapping[AgentId, Agent]: ...

    @property
    def activities(self) -> Mapping[AgentId, Activity]: ...

    def resolve(self, ref: str) -> AgentId:
        """By agent id, or by ticket id. Raises NotFound."""

    def session(self, agent_id: AgentId) -> SessionDoor:
        """Raises NotFound or SessionGone."""

    async def settled(self, agent_id: AgentId) -> Agent:
        """Waits until the launch has succeeded or failed."""

    async def diff(self, agent_id: AgentId) -> str: ...

    async def artifact(self, agent_id: AgentId, name: str, limit: int) -> bytes:
        """A file of the agent's worktree. Raises NotFound, and WorkspaceError as `Workspaces.read` does."""

    def delivery(self, agent_id: AgentId, delivery_id: DeliveryId) -> Delivery | None:
        """What became of a text for the agent; None while its session does not know of it."""


class ReviewHandle(Protocol):
    @property
    def progress(self) -> Mapping[AgentId, Progress]: ...

    @property
    def open(self) -> Mapping[ReviewId, Review]:
        """Those that are pending, and those whose verdict is not where it acts yet."""

    def pending(self, agent_id: AgentId) -> tuple[Review, ...]:
        """The agent's that nobody has decided yet."""

    def addressee(self, ref: str) -> AgentId:
        """Whom a verdict for an agent's or a ticket's id is meant for. Raises NotFound or Ambiguous."""

    def is_held(self, review_id: ReviewId) -> bool:
        """Whether a hook waits for its verdict right now."""

    async def find(self, review_id: ReviewId) -> Review:
        """Raises NotFound."""

    async def listed(self, status: str | None, ticket: str | None, limit: int) -> list[Review]:
        """Newest first."""

    async def decide(self, agent_id: AgentId, review_id: ReviewId | None, verdict: Verdict) -> Review:
        """Store a verdict; what it leads to follows.

        Raises NotFound, NoReview, StaleReview, Ambiguous, AlreadyDecided, Invalid or AnswerAtTerminal.
        """

    async def hold(self, agent_id: AgentId, request: Request, asked_at: datetime | None) -> dict[str, object]:
        """Open a review for a hook, and wait: what the hook is to be answered, empty if that is not to be here."""


@frozen
class House:
    """Everything the edge serves from."""

    queue: QueueHandle
    sync: SyncHandle
    fleet: FleetHandle
    review: ReviewHandle
    activity: ActivityLog
    types: Mapping[str, IssueType]
    hook_token: Callable[[AgentId], str]
    """What an agent's hooks must bring."""
    status: Callable[[], StatusView]


@frozen
class About:
    """What is known of the daemon before anything else works."""

    version: str
    directory_name: str


Requests = Counter[tuple[str, str, int]]
"""How many requests were answered, by method, route and status."""


class Gate:
    """Stands before the house: sockets are bound first, and until agents are adopted nothing is served."""

    def __init__(self, about: About) -> None:
        self.about = about
        self.requests: Requests = Counter()
        self.subscribers = 0
        """Streams that are open now."""
        self._house: House | None = None

    def open(self, house: House) -> None:
        """Serve from `house` from now on."""
        self._house = house

    def close(self) -> None:
        """Serve nothing any more."""
        self._house = None

    @property
    def is_open(self) -> bool:
        return self._house is not None

    @property
    def house(self) -> House:
        """What is served from. Raises Unavailable while there is nothing yet."""
        if self._house is None:
            raise Unavailable("Operator is starting or stopping.", hint="Ask again in a second.")
        return self._house
