"""From stored records to what clients see of them. Pure; nothing here is stored."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from attrs import asdict

from supervisor.domain import agent as agents
from supervisor.domain import phases
from supervisor.domain.agent import Activity, Agent, Delivery, DeliveryState
from supervisor.domain.issue_type import IssueType
from supervisor.domain.review import Review
from supervisor.domain.review_views import LOOKED_AT, owed, owed_sentence
from supervisor.domain.ticket import HELD_BY_AGENT, Parked, ParkReason, Ticket
from supervisor.domain.views import AgentView, DeliveryView, StateView, TicketDetail, TicketView


def phase_name(phase: agents.LaunchPhase) -> str:
    return type(phase).__name__.lower()


def needs_person(
    activity: Activity,
    progress: phases.Progress | None,
    reviews: Sequence[Review] | None = None,
    *,
    over: bool = False,
) -> str | None:
    """What an agent waits for from a person, if it does.

    `reviews` are its own; None: they are not known, and what its progress says must do. `over`: nobody supervises it
    any more.
    """
    phase = progress.phase if progress is not None else None
    gone = over or isinstance(activity.state, agents.GONE)
    review = owed(reviews or (), gone)
    to_decide = owed_sentence(review) if review is not None else _by_phase(phase) if reviews is None else None
    if gone:
        return to_decide
    match activity.state:
        case agents.Exited() | agents.Lost():
            return None
        case agents.Asking(question=question):
            if isinstance(phase, phases.OVER):
                return None
            return question if review is None else owed_sentence(review)
        case agents.Running():
            return None  # it works on what a person typed
        case agents.Starting() | agents.Idle():
            if isinstance(phase, phases.WithPerson) and activity.turns_ended <= phase.turns:
                return phase.why
            return to_decide
        case never:
            assert_never(never)


def _by_phase(phase: phases.Phase | None) -> str | None:
    return f"review {phase.review_id} waits for a verdict" if isinstance(phase, phases.InReview) else None


def state_view(activity: Activity, needs: str | None, review: Review | None = None) -> StateView:
    """`needs` is what a person owes the agent, `review` what they are to decide."""
    state = activity.state
    name = type(state).__name__.lower()
    if needs is not None and review is not None and review.kind in LOOKED_AT:
        name = "awaiting_review"
    elif needs is not None and isinstance(state, agents.Asking | agents.Idle):
        name = "awaiting_input"
    return StateView(name, state.proof.since, str(state.proof.source), state.proof.evidence)


def coarse_status(agent: Agent, activity: Activity, progress: phases.Progress | None, needs: str | None) -> str:
    """`needs` is what a person owes the agent."""
    phase = progress.phase if progress is not None else None
    if needs is not None:
        return "awaiting_input"
    if isinstance(agent.phase, agents.OVER) or isinstance(activity.state, agents.GONE):
        well = isinstance(activity.state, agents.Exited) and activity.state.status.ok
        judged = isinstance(phase, phases.OVER)
        return "completed" if isinstance(phase, _DID_ITS_PART) or (well and not judged) else "failed"
    return "idle" if isinstance(activity.state, agents.Idle) else "running"


_DID_ITS_PART = (phases.StepsDone, phases.HandedOver, phases.Shelved)


def agent_view(
    agent: Agent,
    activity: Activity,
    progress: phases.Progress | None,
    types: Mapping[str, IssueType],
    reviews: Sequence[Review] = (),
) -> AgentView:
    """`reviews` are the agent's that nobody has decided yet."""
    kind = types.get(agent.ticket_type)
    names = [step.name for step in kind.steps] if kind else []
    number = progress.step if progress is not None else 0
    reason = agent.phase.reason if isinstance(agent.phase, agents.Retired | agents.LaunchFailed) else None
    over = isinstance(agent.phase, agents.OVER)
    needs = needs_person(activity, progress, reviews, over=over)
    review = owed(reviews, over or isinstance(activity.state, agents.GONE))
    return AgentView(
        id=agent.id,
        ticket_id=agent.ticket_id,
        ticket_type=agent.ticket_type,
        title=agent.title,
        project=agent.project,
        state=state_view(activity, needs, review),
        status=coarse_status(agent, activity, progress, needs),
        needs=needs,
        stalled=activity.stalled is not None,
        review_id=review.id if review is not None else None,
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
    ticket: Ticket,
    activity: Activity | None,
    progress: phases.Progress | None,
    types: Mapping[str, IssueType],
    reviews: Sequence[Review] = (),
) -> TicketView:
    """`activity`, `progress` and `reviews` are those of the agent that holds the ticket, or the ticket's own review if
    none does."""
    held, shelved = isinstance(ticket.status, HELD_BY_AGENT), awaits_without_agent(ticket)
    needs = None
    if held and activity is not None:
        needs = needs_person(activity, progress, reviews)
    elif shelved:
        review = owed(reviews, gone=True)
        needs = owed_sentence(review) if review is not None else ticket.reason
    kind = types.get(ticket.type)
    number = progress.step if held and progress is not None else ticket.resume.step if shelved else None
    step = kind.steps[number].name if kind and number is not None and number < len(kind.steps) else None
    return TicketView(
        id=ticket.id,
        external_key=ticket.external_key,
        url=ticket.url,
        title=ticket.title,
        type=ticket.type,
        status="awaiting" if needs is not None else ticket.status_name,
        since=ticket.status.since,
        reason=ticket.reason if needs is None else needs,
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
        conflict=ticket.conflict,
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
    )


def awaits_without_agent(ticket: Ticket) -> bool:
    """Whether it waits for a verdict on its pull request, which needs no agent."""
    return isinstance(ticket.status, Parked) and ticket.status.reason is ParkReason.REVIEW


def ticket_detail(view: TicketView, body: str, exported: str | None = None) -> TicketDetail:
    return TicketDetail(**asdict(view, recurse=False), body=body, exported=exported)


_DELIVERY_WORDS = {DeliveryState.SUBMITTED: "typed"}
"""On the wire an entered but unproven prompt is `typed`: that much is known."""


def delivery_view(delivery: Delivery) -> DeliveryView:
    word = _DELIVERY_WORDS.get(delivery.state, str(delivery.state))
    return DeliveryView(delivery.agent_id, delivery.id, word, delivery.reason)
