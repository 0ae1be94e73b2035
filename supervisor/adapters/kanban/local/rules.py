"""What a folder's columns mean, and what may be written where. Pure."""

from typing import assert_never

from attrs import frozen

from supervisor.adapters.kanban.local.names import is_recovered
from supervisor.domain.ticket import BoardState, WriteKind

QUEUE, IN_PROGRESS, COMPLETED = "queue", "in-progress", "completed"
COLUMNS = (IN_PROGRESS, QUEUE, COMPLETED)
"""The three folders, in the order in which a twice given id is decided: the first file holds it."""
_CANCELLED = ("cancelled", "canceled")


@frozen
class Place:
    """Where a ticket file is."""

    column: str
    name: str

    @property
    def rank(self) -> tuple[bool, int, str]:
        """Of files with the same id the first holds it. A version that was kept beside its ticket file has that
        file's id, and comes last wherever either is: else the older text would be taken for the ticket."""
        return (is_recovered(self.name), COLUMNS.index(self.column), self.name)


@frozen
class Target:
    """Where a write brings a file."""

    column: str
    status: str
    only_if_there: bool = False
    """The status is corrected where the file has one, and not added."""


def state_of(column: str, status: str) -> BoardState:
    if column == QUEUE:
        return BoardState.OPEN
    if column == IN_PROGRESS:
        return BoardState.IN_PROGRESS
    return BoardState.CANCELLED if status in _CANCELLED else BoardState.DONE


def target_of(kind: WriteKind, column: str, status: str) -> Target | str:
    """Where the write brings a file that is in `column` with `status`; or, when a person moved it where the
    write does not expect it, the state it is in now."""
    now = state_of(column, status)
    closed = now if column == COMPLETED else None
    match kind:
        case WriteKind.STARTED:
            return str(closed) if closed else Target(IN_PROGRESS, "running", only_if_there=True)
        case WriteKind.AWAITING:
            return str(closed) if closed else Target(IN_PROGRESS, "awaiting")
        case WriteKind.FAILED:
            return str(closed) if closed else Target(IN_PROGRESS, "failed")
        case WriteKind.DONE:
            return str(closed) if closed is BoardState.CANCELLED else Target(COMPLETED, "done")
        case WriteKind.CANCELLED:
            return str(closed) if closed is BoardState.DONE else Target(COMPLETED, "cancelled")
        case WriteKind.REQUEUED:
            ended_here = status == "done" or status in _CANCELLED
            return str(closed) if closed and not ended_here else Target(QUEUE, "queued")
        case WriteKind.NOTED:
            return Target(column, status, only_if_there=True)
        case never:
            assert_never(never)
