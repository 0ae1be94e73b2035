"""From stored records to what clients see of them. Pure; nothing here is stored."""

from collections.abc import Mapping
from typing import assert_never

from attrs import asdict

from supervisor.domain import agent as agents
from supervisor.domain import steps
from supervisor.domain.agent import Activity, Agent, Delivery, DeliveryState
from supervisor.domain.issue_type import IssueType
from supervisor.domain.ticket import HELD_BY_AGENT, Parked, Ticket
from supervisor.domain.views import AgentView, DeliveryView, StateView, TicketDetail, TicketView


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
