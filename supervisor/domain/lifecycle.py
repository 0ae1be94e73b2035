"""What becomes of a ticket from what became of its agent. Pure: the queue actor applies it."""

from datetime import datetime
from typing import assert_never

from attrs import evolve, frozen

from supervisor.domain import steps
from supervisor.domain.agent import GONE, Activity, Agent, Exited, LaunchFailed, Lost, Retired
from supervisor.domain.config import QueueConfig
from supervisor.domain.durations import Duration
from supervisor.domain.queue import retry_delay
from supervisor.domain.steps import Progress
from supervisor.domain.ticket import (
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
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
            case steps.StepsDone(no_changes=no_changes, dirty=dirty):
                return move(ticket, Done(now, no_changes, dirty))
            case steps.Broke(reason=reason):
                return broke(ticket, reason, limits, now)
            case steps.Vanished(reason=reason):
                return vanished(ticket, reason, limits, now)
            case steps.Limited(reason=reason, until=until):
                return move(ticket, Parked(now, ParkReason.USAGE_LIMIT, reason, until))
            case steps.Prompting() | steps.Working() | steps.WithPerson() | steps.Resting():
                pass
            case never:
                assert_never(never)
    if isinstance(agent.phase, Retired):
        if progress is not None and activity is not None and isinstance(activity.state, GONE):
            return None  # the review actor is about to say how its step ended
        return _retired_early(ticket, agent.phase, activity, limits, now)
    begun = progress is not None and not isinstance(progress.phase, steps.Prompting)
    return move(ticket, Running(now, agent.id)) if isinstance(ticket.status, Launching) and begun else None


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
            return WriteKind.STARTED
        case Done():
            return WriteKind.DONE
        case Failed():
            return WriteKind.FAILED
        case Cancelled():
            return WriteKind.CANCELLED
        case Queued() | Parked():
            return WriteKind.REQUEUED if isinstance(before, Done | Failed | Cancelled) else None
        case Running():
            return None
        case never:
            assert_never(never)
