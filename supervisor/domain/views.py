"""What clients see: the wire's records, projected from the stored ones. Pure; nothing here is stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from attrs import asdict, field, frozen

from supervisor.domain import agent as agents
from supervisor.domain import steps
from supervisor.domain.activity import Value
from supervisor.domain.agent import Activity, Agent, Delivery, DeliveryState
from supervisor.domain.issue_type import IssueType
from supervisor.domain.ticket import HELD_BY_AGENT, Parked, Ticket


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
class SyncView:
    """What a sync changed, by the boards' own keys."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    total_processed: int = 0


@frozen
class CollectionView:
    name: str
    provider: str
    where: str
    last_sync: datetime | None
    next_sync: datetime | None
    error_code: str | None
    error: str | None
    retry_at: datetime | None
    pending_writes: int
    problems: tuple[str, ...]


@frozen
class CollectionList:
    collections: tuple[CollectionView, ...]


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
    activity: str
    """The WebSocket's address."""


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
    agent_id: str
    tmux: tuple[str, ...]


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


def phase_name(phase: agents.LaunchPhase) -> str:
    return type(phase).__name__.lower()


def needs_person(activity: Activity, progress: steps.Progress | None) -> str | None:
    """What an agent waits for from a person, if it does."""
    phase = progress.phase if progress is not None else None
    match activity.state:
        case agents.Exited() | agents.Lost():
            return None
        case agents.Asking(question=question):
            return None if isinstance(phase, steps.OVER) else question
        case agents.Running():
            return None  # it works on what a person typed
        case agents.Starting() | agents.Idle():
            if isinstance(phase, steps.WithPerson) and activity.turns_ended <= phase.turns:
                return phase.why
            return None
        case never:
            assert_never(never)


def state_view(activity: Activity, needs: str | None) -> StateView:
    """`needs` is what a person owes the agent."""
    state = activity.state
    name = type(state).__name__.lower()
    if needs is not None and isinstance(state, agents.Asking | agents.Idle):
        name = "awaiting_input"
    return StateView(name, state.proof.since, str(state.proof.source), state.proof.evidence)


def coarse_status(agent: Agent, activity: Activity, progress: steps.Progress | None) -> str:
    phase = progress.phase if progress is not None else None
    if isinstance(agent.phase, agents.OVER) or isinstance(activity.state, agents.GONE):
        well = isinstance(activity.state, agents.Exited) and activity.state.status.ok
        judged = isinstance(phase, steps.OVER)
        return "completed" if isinstance(phase, steps.StepsDone) or (well and not judged) else "failed"
    if needs_person(activity, progress) is not None:
        return "awaiting_input"
    return "idle" if isinstance(activity.state, agents.Idle) else "running"


def agent_view(
    agent: Agent, activity: Activity, progress: steps.Progress | None, types: Mapping[str, IssueType]
) -> AgentView:
    kind = types.get(agent.ticket_type)
    names = [step.name for step in kind.steps] if kind else []
    number = progress.step if progress is not None else 0
    reason = agent.phase.reason if isinstance(agent.phase, agents.Retired | agents.LaunchFailed) else None
    needs = None if isinstance(agent.phase, agents.OVER) else needs_person(activity, progress)
    return AgentView(
        id=agent.id,
        ticket_id=agent.ticket_id,
        ticket_type=agent.ticket_type,
        title=agent.title,
        project=agent.project,
        state=state_view(activity, needs),
        status=coarse_status(agent, activity, progress),
        needs=needs,
        stalled=activity.stalled is not None,
        review_id=None,
        mode=agent.mode,
        attempt=agent.attempt,
        started_at=agent.started_at,
        current_step=names[number] if number < len(names) else None,
        step_number=number + 1,
        step_count=len(names),
        driver=agent.driver,
        backend=agent.backend,
        branch=agent.branch,
        worktree_path=agent.worktree_path,
        session_id=agent.session_id,
        phase=phase_name(agent.phase),
        phase_reason=reason,
        exit=str(activity.state.status) if isinstance(activity.state, agents.Exited) else None,
        last_title=activity.title,
    )


def ticket_view(
    ticket: Ticket, activity: Activity | None, progress: steps.Progress | None, types: Mapping[str, IssueType]
) -> TicketView:
    """`activity` and `progress` are those of the agent that holds the ticket."""
    held = isinstance(ticket.status, HELD_BY_AGENT)
    awaiting = held and activity is not None and needs_person(activity, progress) is not None
    kind = types.get(ticket.type)
    step = kind.steps[progress.step].name if held and kind and progress and progress.step < len(kind.steps) else None
    reason = ticket.reason
    if awaiting and activity is not None:
        reason = needs_person(activity, progress)
    return TicketView(
        id=ticket.id,
        external_key=ticket.external_key,
        url=ticket.url,
        title=ticket.title,
        type=ticket.type,
        status="awaiting" if awaiting else ticket.status_name,
        since=ticket.status.since,
        reason=reason,
        until=ticket.status.until if isinstance(ticket.status, Parked) else None,
        priority=ticket.priority,
        project=ticket.project,
        driver=ticket.driver,
        labels=ticket.labels,
        blocked_by=ticket.blocked_by,
        collection=ticket.collection,
        step=step,
        attempts=ticket.attempts,
        launches=ticket.launches,
        agent_id=ticket.agent_id,
        branch=ticket.branch,
        problem=ticket.problem,
        closed_on_board=ticket.closed_on_board,
        no_changes=getattr(ticket.status, "no_changes", False),
        dirty=getattr(ticket.status, "dirty", False),
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
    )


def ticket_detail(view: TicketView, body: str, exported: str | None = None) -> TicketDetail:
    return TicketDetail(**asdict(view, recurse=False), body=body, exported=exported)


_DELIVERY_WORDS = {DeliveryState.SUBMITTED: "typed"}
"""On the wire an entered but unproven prompt is `typed`: that much is known."""


def delivery_view(delivery: Delivery) -> DeliveryView:
    word = _DELIVERY_WORDS.get(delivery.state, str(delivery.state))
    return DeliveryView(delivery.agent_id, delivery.id, word, delivery.reason)


@frozen
class History:
    """An agent's states, oldest first, with their proofs."""

    agent_id: str
    states: tuple[StateView, ...] = field(default=())
