"""What becomes of a ticket from what became of its agent. Pure: the queue actor applies it."""

from datetime import datetime
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain import phases
from supervisor.domain.agent import GONE, OVER, Activity, Agent, Exited, LaunchFailed, Lost, Retired
from supervisor.domain.config import QueueConfig
from supervisor.domain.durations import Duration
from supervisor.domain.ids import agent_id_for
from supervisor.domain.phases import Progress
from supervisor.domain.queue import retry_delay
from supervisor.domain.ticket import (
    HELD_BY_AGENT,
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Resume,
    Running,
    Ticket,
    TicketStatus,
    WriteKind,
    holder,
    move,
)

RELAUNCH_BASE = Duration(0.5)
"""What the wait after a lost session starts from; it doubles like any other retry's."""


@frozen
class Limits:
    """What decides whether a ticket is tried again."""

    queue: QueueConfig
    jitter: float = 0.0
    """In -1..1; moves a retry by up to 10 %."""


def settle(
    ticket: Ticket,
    agent: Agent | None,
    activity: Activity | None,
    progress: Progress | None,
    limits: Limits,
    now: datetime,
) -> Ticket | None:
    """The held ticket's next record, or None while its agent is still at it, or when this agent does not hold it."""
    if agent is None or holder(ticket) != agent.id:
        return None
    moved = _settled(ticket, agent, activity, progress, limits, now)
    if moved is None:
        return None
    if isinstance(moved.status, Parked) and moved.status.reason is ParkReason.RETRY and moved.closed_on_board:
        moved = move(moved, Cancelled(now, f"closed on the board, and not tried again: {moved.status.detail}"))
    return evolve(moved, branch=agent.branch or moved.branch)


def _settled(
    ticket: Ticket, agent: Agent, activity: Activity | None, progress: Progress | None, limits: Limits, now: datetime
) -> Ticket | None:
    if isinstance(agent.phase, LaunchFailed):
        return _launch_failed(ticket, agent.phase, limits, now)
    if progress is not None:
        match progress.phase:
            case phases.StepsDone(no_changes=no_changes, dirty=dirty):
                return move(evolve(ticket, resume=Resume()), Done(now, no_changes, dirty))
            case phases.Broke(reason=reason):
                return broke(_at_step(ticket, progress), reason, limits, now)
            case phases.Vanished(reason=reason):
                return vanished(_at_step(ticket, progress), reason, limits, now)
            case phases.Limited(reason=reason, until=until):
                return move(_at_step(ticket, progress), Parked(now, ParkReason.USAGE_LIMIT, reason, until))
            case phases.Shelved(resume=resume):
                waits = Parked(now, ParkReason.REVIEW, f"review {resume.review_id} waits for a verdict")
                return move(evolve(ticket, resume=resume), waits)
            case phases.HandedOver(resume=resume):
                return _handed_over(ticket, agent, resume, now)
            case (
                phases.Prompting() | phases.Working() | phases.WithPerson() | phases.Resting()
                | phases.Due() | phases.InReview()
            ):  # fmt: skip
                pass
            case never:
                assert_never(never)
    if isinstance(agent.phase, Retired):
        if progress is not None and activity is not None and isinstance(activity.state, GONE):
            return None  # the review actor is about to say how its step ended
        return _retired_early(ticket, agent.phase, activity, limits, now)
    begun = progress is not None and not isinstance(progress.phase, phases.Prompting)
    return move(ticket, Running(now, agent.id)) if isinstance(ticket.status, Launching) and begun else None


def _at_step(ticket: Ticket, progress: Progress, why: str = "its last agent ended in it") -> Ticket:
    """The ticket's next agent takes up the step in which this one ended; what was done before it is done."""
    resume = Resume(progress.step, progress.run + 1, progress.reason, progress.review_id, why)
    return evolve(ticket, resume=resume)


def taken_again(ticket: Ticket, last: Progress | None) -> Ticket:
    """The ticket as its next agent takes it up: where the last one, by its progress, came to, and why that step begins
    again if it does.

    What ends an agent's part has said so by then. But a person may have stopped the agent, or cancelled or finished
    the ticket, and put it in line again.
    """
    if last is None or last.agent_id != ticket.agent_id:
        return ticket
    settled = (ticket.resume.run, ticket.resume.step) > (last.run, last.step)
    match last.phase:
        case phases.StepsDone():
            return evolve(ticket, resume=Resume(0, last.run + 1, why="all of it was done, and is wanted once more"))
        case phases.HandedOver(resume=resume):
            return evolve(ticket, resume=resume)
        case phases.Shelved(resume=resume) if not settled:
            return _at_step(ticket, last, f"review {resume.review_id} was given up with its ticket")
        case phases.Shelved() | phases.Broke() | phases.Vanished() | phases.Limited() if settled:
            return ticket
        case _:
            return _at_step(ticket, last, "its last agent was taken off it")


def _handed_over(ticket: Ticket, agent: Agent, resume: Resume, now: datetime) -> Ticket | None:
    """The next agent follows at once, in the same slot, when this one is over: two never work in one worktree."""
    if not isinstance(agent.phase, OVER):
        return None
    following = evolve(ticket, resume=resume, launches=ticket.launches + 1)
    return move(following, Launching(now, agent_id_for(ticket.id, following.launches)))


def broke(ticket: Ticket, reason: str, limits: Limits, now: datetime) -> Ticket:
    """One attempt is used up: wait and try again, or fail."""
    used = evolve(ticket, attempts=ticket.attempts + 1)
    if used.attempts >= limits.queue.max_attempts:
        return move(used, Failed(now, f"{reason}; {used.attempts} of {limits.queue.max_attempts} attempts used"))
    until = now + retry_delay(used.attempts, limits.queue, limits.jitter)
    return move(used, Parked(now, ParkReason.RETRY, reason, until))


def vanished(ticket: Ticket, reason: str, limits: Limits, now: datetime) -> Ticket:
    """The session was lost, not the attempt; but a machine that keeps losing sessions needs a person."""
    lost = evolve(ticket, losses=ticket.losses + 1)
    if lost.losses > limits.queue.max_losses:
        return move(lost, Parked(now, ParkReason.LOST, f"{reason}; lost {lost.losses} times"))
    until = now + retry_delay(lost.losses, evolve(limits.queue, retry_base=RELAUNCH_BASE), limits.jitter)
    return move(lost, Parked(now, ParkReason.RETRY, f"session lost: {reason}", until))


def _launch_failed(ticket: Ticket, phase: LaunchFailed, limits: Limits, now: datetime) -> Ticket:
    match phase.code:
        case "driver_failed":
            return move(ticket, Parked(now, ParkReason.NO_DRIVER, phase.reason))
        case "closed_on_board":
            return move(evolve(ticket, closed_on_board=True), Cancelled(now, phase.reason))
        case "stopped":
            return move(ticket, Parked(now, ParkReason.HELD, phase.reason))
        case "backend_failed" | "session_gone" | "unavailable" | "actor_gone" | "too_slow":
            return vanished(ticket, phase.reason, limits, now)
        case _:
            return broke(ticket, phase.reason, limits, now)


def _retired_early(ticket: Ticket, phase: Retired, activity: Activity | None, limits: Limits, now: datetime) -> Ticket:
    """Over although its steps never said so."""
    match activity.state if activity is not None else None:
        case Lost(reason=reason):
            return vanished(ticket, reason, limits, now)
        case Exited(status=status):
            return broke(ticket, f"the agent ended with {status} before it took its prompt", limits, now)
        case _:
            return move(ticket, Parked(now, ParkReason.CRASHED, phase.reason))


def board_write(before: TicketStatus, after: TicketStatus) -> WriteKind | None:
    """What a ticket's move means for its board."""
    if type(before) is type(after):
        return None
    match after:
        case Launching():
            return None if isinstance(before, HELD_BY_AGENT) else WriteKind.STARTED
        case Done():
            return WriteKind.DONE
        case Failed():
            return WriteKind.FAILED
        case Cancelled():
            return WriteKind.CANCELLED
        case Parked(reason=ParkReason.REVIEW):
            return WriteKind.AWAITING
        case Queued() | Parked():
            return WriteKind.REQUEUED if isinstance(before, Done | Failed | Cancelled) else None
        case Running():
            return None
        case never:
            assert_never(never)
