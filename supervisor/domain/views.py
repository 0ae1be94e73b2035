"""What clients see: the wire's records. Clients load these and nothing that they are made from."""

from datetime import datetime

from attrs import field, frozen

from supervisor.domain.activity import Value
from supervisor.domain.board_views import CollectionList as CollectionList
from supervisor.domain.board_views import CollectionView as CollectionView
from supervisor.domain.board_views import HeardView as HeardView
from supervisor.domain.board_views import SyncView as SyncView
from supervisor.domain.board_views import WriteList as WriteList
from supervisor.domain.board_views import WriteView as WriteView


@frozen
class StateView:
    """What an agent does, since when, and how that is known."""

    name: str
    """`starting`, `running`, `idle`, `asking`, `awaiting_input`, `exited` or `lost`."""
    since: datetime
    source: str
    evidence: str


@frozen
class AgentView:
    id: str
    ticket_id: str
    ticket_type: str
    title: str
    project: str
    state: StateView
    status: str
    """Coarse: `running`, `idle`, `awaiting_input`, `completed` or `failed`."""
    needs: str | None
    """What a person is to do, as a sentence; None if nothing."""
    stalled: bool
    review_id: int | None
    mode: str
    attempt: int
    started_at: datetime
    current_step: str | None
    step_number: int
    step_count: int
    driver: str
    backend: str
    branch: str | None
    worktree_path: str | None
    session_id: str | None
    phase: str
    """How far its launch has come: `planned`, `prepared`, `opened`, `retired` or `launchfailed`."""
    phase_reason: str | None
    exit: str | None
    """How its process ended."""
    last_title: str


@frozen
class AgentList:
    agents: tuple[AgentView, ...]
    count: int


@frozen
class TicketView:
    id: str
    external_key: str | None
    url: str | None
    title: str
    type: str
    status: str
    """`queued`, `parked`, `launching`, `running`, `awaiting`, `done`, `failed` or `cancelled`."""
    since: datetime
    reason: str | None
    until: datetime | None
    """When a parked ticket is tried again by itself."""
    priority: int | None
    project: str | None
    driver: str | None
    labels: tuple[str, ...]
    blocked_by: tuple[str, ...]
    collection: str | None
    step: str | None
    attempts: int
    launches: int
    agent_id: str | None
    branch: str | None
    problem: str | None
    closed_on_board: bool
    no_changes: bool
    dirty: bool
    conflict: str | None
    """What a person made of its record while Operator wanted something else there; theirs stands."""
    created_at: datetime
    updated_at: datetime


@frozen
class TicketDetail(TicketView):
    """One ticket with its text."""

    body: str
    exported: str | None = None
    """Where `clean` put the unmerged work of the worktree that it just removed."""


@frozen
class TicketPage:
    tickets: tuple[TicketView, ...]
    next_cursor: str | None
    total_count: int


@frozen
class PauseView:
    paused: bool
    message: str
    queued: int
    running: int


@frozen
class QueueStatus:
    queued: int
    in_progress: int
    awaiting: int
    completed: int
    parked: int
    failed: int
    cancelled: int
    by_type: dict[str, int]
    """Waiting tickets of each type."""


@frozen
class Kanban:
    queue: tuple[TicketView, ...]
    running: tuple[TicketView, ...]
    awaiting: tuple[TicketView, ...]
    done: tuple[TicketView, ...]
    total_count: int


@frozen
class BackendView:
    name: str
    ok: bool
    detail: str


@frozen
class DriverView:
    name: str
    kind: str
    command: tuple[str, ...]


@frozen
class StreamsView:
    """The addresses of the WebSockets."""

    activity: str
    terminal: str
    """Of an agent's terminal, whose id stands where `{agent}` does."""


@frozen
class StatusView:
    version: str
    paused: bool
    pause_reason: str | None
    counts: QueueStatus
    max_agents: int
    agents: int
    """Slots in use."""
    needs_you: int
    collections: tuple[CollectionView, ...]
    backends: tuple[BackendView, ...]
    drivers: tuple[DriverView, ...]
    projects: tuple[str, ...]
    streams: StreamsView
    since: datetime
    state_dir: str
    head: int
    """The newest entry of the activity."""
    warnings: tuple[str, ...]


@frozen
class LaunchView:
    ticket_id: str
    agent_id: str
    phase: str
    """`opened` once the agent's process runs; earlier while that is still pending."""
    terminal_name: str | None
    working_directory: str | None
    command: tuple[str, ...]
    """Attaches a terminal to the session; empty while it is pending."""
    session_id: str | None
    worktree_created: bool
    branch: str | None


@frozen
class DeliveryView:
    agent_id: str
    delivery_id: str
    delivery: str
    """`pending`, `typed`, `delivered`, `refused` or `unknown`."""
    reason: str


@frozen
class AttachView:
    """How to reach an agent's session from a terminal."""

    agent_id: str
    argv: tuple[str, ...]


@frozen
class ArtifactView:
    """A file or page that an agent left to be looked at."""

    name: str
    media: str
    size: int
    url: str | None
    """Where it is served, relative to the API; or the page's own address."""


@frozen
class OptionView:
    label: str
    description: str


@frozen
class QuestionView:
    text: str
    header: str
    options: tuple[OptionView, ...]
    multiple: bool
    """Whether several options may be chosen, joined by commas."""


@frozen
class ReviewView:
    """A decision that a person owes, or owed."""

    id: int
    kind: str
    """`plan`, `visual`, `permission`, `question` or `pr`."""
    status: str
    """`pending`, `approved`, `rejected`, `answered` or `superseded`."""
    ticket_id: str
    agent_id: str
    step: str
    run: int
    title: str
    opened_at: datetime
    waited: float
    """Seconds, until it was decided or until now."""
    decided_at: datetime | None
    decided_by: str | None
    """Who decided, or why it need not be decided any more."""
    reason: str | None
    """Why it was rejected."""
    answers: dict[str, str]
    by_hook: bool
    """Whether the agent's own dialog is open for it, too: whoever answers first decides."""
    held: bool
    """Whether the agent's hook waits for the verdict. If not, a verdict is given by keys at the dialog."""
    told: bool
    """Whether the verdict is where it acts."""
    plan: str | None
    plan_path: str | None
    tool: str | None
    tool_input: str | None
    """The tool's arguments, as JSON."""
    command: str | None
    """What exactly would be run, written or fetched, where the tool's arguments tell it."""
    questions: tuple[QuestionView, ...]
    artifacts: tuple[ArtifactView, ...]
    branch: str | None
    commits: int
    stat: str | None
    url: str | None
    note: str | None
    """What keeps it from being decided here, or what could not be done for it."""


@frozen
class ReviewList:
    reviews: tuple[ReviewView, ...]
    count: int


@frozen
class VerdictView:
    """What a verdict came to."""

    agent_id: str
    review_id: int
    status: str
    """`approved`, `rejected` or `answered`."""
    delivery: str
    """`delivered` once it is where it acts; else `pending`, `typed`, `refused` or `unknown`."""
    message: str


@frozen
class TypeView:
    name: str
    mode: str
    color: str
    icon: str
    rank: int
    steps: tuple[str, ...]


@frozen
class TypeList:
    issuetypes: tuple[TypeView, ...]


@frozen
class EventView:
    """One entry of the activity."""

    seq: int
    at: datetime
    kind: str
    ticket: str | None
    agent: str | None
    data: dict[str, Value]


@frozen
class ActivityPage:
    events: tuple[EventView, ...]
    head: int
    """The newest entry there is."""
    oldest: int
    """The oldest entry that is kept: what was before it is a gap."""


@frozen
class HealthView:
    status: str
    version: str
    directory_name: str


@frozen
class Endpoint:
    """`endpoint.json`: where a daemon listens. Clients read it; it names no secret."""

    pid: int
    version: str
    url: str
    stream_url: str
    socket: str | None
    """The REST API's unix socket."""
    token_file: str | None
    started_at: datetime


@frozen
class History:
    """An agent's states, oldest first, with their proofs."""

    agent_id: str
    states: tuple[StateView, ...] = field(default=())
