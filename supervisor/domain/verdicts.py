"""What a person's verdict on a step's end leads to. Pure: the review actor applies it, and the queue to tickets."""

from datetime import datetime
from typing import assert_never

from attrs import evolve

from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import NOTHING, Progress, Working
from supervisor.domain.review import Answered, Approved, Changes, Pending, Rejected, Review, Superseded
from supervisor.domain.steps import Scene, begin, enter, following_why, onward
from supervisor.domain.ticket import Done, Parked, ParkReason, Queued, Resume, Ticket, holder, move


def approved(progress: Progress, scene: Scene) -> Progress:
    """The reviewed step is done."""
    return onward(progress, scene)


def rejected(progress: Progress, scene: Scene, review: Review, reason: str) -> Progress:
    """The step that the rejection leads to runs again, told why."""
    resume = _again(scene.kind, progress.step, progress.run, review, reason)
    return enter(progress, scene, resume, redo_text(review, reason))


def _again(kind: IssueType, step: int, run: int, review: Review, reason: str) -> Resume:
    names = [each.name for each in kind.steps]
    wanted = kind.steps[step].on_reject if step < len(names) else None
    target = names.index(wanted) if wanted in names else min(step, len(names) - 1)
    return Resume(target, run + 1, reason, review.id)


def redo_text(review: Review, reason: str) -> str:
    """What the agent is told: the reason as it was written, once."""
    return f"What you made in step {review.step} was reviewed. {redo_note(reason)}"


def redo_note(reason: str) -> str:
    return f"A person rejected it, for this reason:\n\n{reason}\n\nDo it again with that in mind, then stop."


def taken_up(ticket: Ticket, agent_id: AgentId, scene: Scene, mode: str | None) -> Progress:
    """The progress of a ticket's new agent: where the one before it came to."""
    resume = ticket.resume
    fresh = Progress(TicketId(ticket.id), agent_id, Working(NOTHING), mode=mode)
    return begin(fresh, scene, min(resume.step, len(scene.kind.steps) - 1), max(resume.run, 1), "", resume)


def settled_review(ticket: Ticket, review: Review, kind: IssueType, now: datetime) -> Ticket | None:
    """What becomes of a ticket that waits for a review without an agent; None while the review is pending."""
    resume = ticket.resume
    match review.decision:
        case Pending():
            return None
        case Approved() | Answered():
            if resume.step + 1 < len(kind.steps):
                following = Resume(resume.step + 1, resume.run, why=following_why(kind.steps[resume.step], resume.run))
                return move(evolve(ticket, resume=following), Queued(now))
            dirty = isinstance(review.subject, Changes) and review.subject.dirty
            unchanged = isinstance(review.subject, Changes) and not review.subject.commits and not dirty
            return move(evolve(ticket, resume=Resume()), Done(now, unchanged, dirty))
        case Rejected(reason=reason):
            again = _again(kind, resume.step, resume.run, review, reason)
            return move(evolve(ticket, resume=again), Queued(now))
        case Superseded(why=why):
            again = Resume(resume.step, resume.run + 1, why=why)
            return move(evolve(ticket, resume=again), Parked(now, ParkReason.HELD, why))
        case never:
            assert_never(never)


def concerns(review: Review, ticket: Ticket) -> bool:
    """Whether the ticket's work still depends on the review."""
    if isinstance(ticket.status, Parked) and ticket.status.reason is ParkReason.REVIEW:
        return ticket.resume.review_id == review.id
    return holder(ticket) == review.agent_id
