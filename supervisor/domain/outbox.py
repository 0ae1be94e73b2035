"""What a board is still to be told of the work on a ticket. Pure: the queue actor stores it as a board write."""

from collections.abc import Iterable

from attrs import evolve, frozen

from supervisor.domain.phases import Progress
from supervisor.domain.review import Review
from supervisor.domain.review_views import LOOKED_AT
from supervisor.domain.ticket import BoardWrite, Launching, Ticket, WriteKind


@frozen
class Told:
    """What a board was told last of a ticket, or is about to be."""

    stage: WriteKind | None = None
    about: str = ""
    note: BoardWrite | None = None
    """The last write that only edits the comment, unless another one has followed it."""


def told_after(told: Told, write: BoardWrite) -> Told:
    """`told` with one more write, in order of their numbers."""
    if write.kind is WriteKind.NOTED:
        return evolve(told, about=write.about, note=write)
    return Told(write.kind, write.about)


def stage(reviews: Iterable[Review]) -> WriteKind:
    """Whether a ticket that is worked on waits for somebody to look at what there is. `reviews`: its open ones."""
    waits = any(each.pending and each.kind in LOOKED_AT for each in reviews)
    return WriteKind.AWAITING if waits else WriteKind.STARTED


def mark(ticket: Ticket, progress: Progress | None, reviews: Iterable[Review]) -> str:
    """Stands for how far the work is, as far as its comment tells. Empty before there is anything to tell."""
    if isinstance(ticket.status, Launching) or progress is None:
        return ""
    looked_at = sorted(f"{each.id}{each.status}" for each in reviews if each.kind in LOOKED_AT)
    return " ".join((progress.agent_id, str(progress.step), str(progress.run), ticket.branch or "-", *looked_at))


def news(told: Told, now: WriteKind, about: str) -> WriteKind | None:
    """What to tell the board; None if it knows all of it."""
    begins_again = now is WriteKind.STARTED and told.stage in (WriteKind.AWAITING, None)
    if begins_again or (now is WriteKind.AWAITING and told.stage is not WriteKind.AWAITING):
        return now
    return WriteKind.NOTED if about and about != told.about else None
