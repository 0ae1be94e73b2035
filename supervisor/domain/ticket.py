"""Tickets: the units of work, their stored status, and what a board says about them."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

from attrs import evolve, field, frozen

from supervisor.domain.ids import AgentId, ReviewId, TicketId


class ParkReason(StrEnum):
    """Why a ticket that waits is not eligible."""

    RETRY = "retry"
    """A failed attempt is tried again when `until` comes."""
    BLOCKED = "blocked"
    BUDGET = "budget"
    USAGE_LIMIT = "usage_limit"
    NO_PROJECT = "no_project"
    NO_DRIVER = "no_driver"
    NO_TYPE = "no_type"
    LABELS = "labels"
    LAUNCH_FAILED = "launch_failed"
    CRASHED = "crashed"
    """The actor that ran it kept crashing: a person must look."""
    LOST = "lost"
    PROBLEM = "problem"
    """The board's record of it cannot be read."""
    REVIEW = "review"
    """Its pull request waits for a verdict, and no agent for that."""
    HELD = "held"
    """A person at the board took it back into the queue while it ran, or asked for it to wait."""


class BoardState(StrEnum):
    """A board's own columns, reduced to what matters here."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"


@frozen
class Queued:
    """Waits for a slot."""

    since: datetime


@frozen
class Parked:
    """Waits, but is not eligible until the reason is gone."""

    since: datetime
    reason: ParkReason
    detail: str = ""
    until: datetime | None = None


@frozen
class Launching:
    """The decision to launch `agent_id` is stored; its session may or may not exist yet."""

    since: datetime
    agent_id: AgentId


@frozen
class Running:
    """The agent has its first prompt."""

    since: datetime
    agent_id: AgentId


@frozen
class Done:
    """Its last step ended."""

    since: datetime
    no_changes: bool = False
    dirty: bool = False
    """The worktree still has changes that no commit holds."""
    note: str = ""


@frozen
class Failed:
    """No attempt is left."""

    since: datetime
    reason: str


@frozen
class Cancelled:
    """A person, here or at the board, does not want it any more."""

    since: datetime
    reason: str


TicketStatus = Queued | Parked | Launching | Running | Done | Failed | Cancelled
ENDED = (Done, Failed, Cancelled)
WAITING = (Queued, Parked)
HELD_BY_AGENT = (Launching, Running)


@frozen
class Resume:
    """Where a ticket's next agent takes up its steps."""

    step: int = 0
    run: int = 0
    """The last run there was."""
    reason: str = ""
    """Why a person rejected what there is: the agent is told."""
    review_id: ReviewId | None = None
    """The review that led there, or that is waited for."""
    why: str = ""
    """Why a step begins again, where no review is the reason."""


@frozen
class Ticket:
    """One unit of work. Its body is kept apart (`Body`), for it may be a megabyte."""

    id: TicketId
    title: str
    type: str
    status: TicketStatus
    created_at: datetime
    updated_at: datetime
    collection: str | None = None
    external_id: str | None = None
    """The board's immutable id; with the collection it says whether two records are one ticket."""
    external_key: str | None = None
    url: str | None = None
    priority: int | None = None
    """1 is first; None is last."""
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    """Ids or external keys of tickets that must be done first."""
    attempts: int = 0
    """Attempts that were used up; an attempt that was lost through no fault of the agent is not one."""
    losses: int = 0
    """Launches that were lost with their session or machine."""
    launches: int = 0
    """How many agents it has had; the next one's id ends in this number plus one."""
    agent_id: AgentId | None = None
    """The agent that holds it, or the last one that did."""
    resume: Resume = field(factory=Resume)
    branch: str | None = None
    closed_on_board: bool = False
    problem: str | None = None
    """What cannot be understood in the board's record."""
    archived: bool = False
    """Its worktree was exported and removed by `operator ticket clean`."""
    alias: str | None = None
    """A short name people may use for it, such as a local ticket's file name; it need not be unique."""
    body_digest: str = ""
    board_state: BoardState | None = None
    """The board's state as it was last read or written: another one, read later, is a person's move."""
    conflict: str | None = None
    """What a person made of its record while Operator wanted something else there; theirs stands."""

    @property
    def status_name(self) -> str:
        return status_name(self.status)

    @property
    def reason(self) -> str | None:
        """Why it is in the state it is in, where there is more to say than the state's name."""
        match self.status:
            case Parked(reason=reason, detail=detail):
                return f"{reason}: {detail}" if detail else str(reason)
            case Failed(reason=reason) | Cancelled(reason=reason):
                return reason
            case Done(note=note):
                return note or None
            case Queued() | Launching() | Running():
                return None
            case never:
                assert_never(never)


@frozen
class Body:
    """A ticket's text, as the board has it. Untrusted: it is data in a prompt, never template."""

    ticket_id: TicketId
    text: str


def status_name(status: TicketStatus) -> str:
    """The status as it stands on the wire: the variant's name in lower case."""
    return type(status).__name__.lower()


def holder(ticket: Ticket) -> AgentId | None:
    """The agent that holds the ticket now."""
    return ticket.status.agent_id if isinstance(ticket.status, HELD_BY_AGENT) else None


def move(ticket: Ticket, status: TicketStatus) -> Ticket:
    """The ticket in a new status; the agent it names is remembered."""
    if isinstance(status, HELD_BY_AGENT):
        return evolve(ticket, status=status, agent_id=status.agent_id)
    return evolve(ticket, status=status)


@frozen
class BoardTicket:
    """One record as a provider read it; every field is untrusted."""

    external_id: str
    external_key: str
    title: str
    body: str
    type: str | None = None
    state: BoardState = BoardState.OPEN
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    url: str | None = None
    alias: str | None = None
    updated_at: datetime | None = None
    problem: str | None = None
    """Set when the record is there but cannot be understood: it becomes a parked ticket that says so."""


@frozen
class BoardProblem:
    """A record that cannot even be named."""

    where: str
    message: str


@frozen
class Unnamed:
    """A local record without an id: Operator assigns one, then the next pull brings it."""

    token: str
    """The provider's handle: enough to find the record and to notice that it changed."""
    type: str | None


@frozen
class Pull:
    """What one reading of a board brought."""

    tickets: tuple[BoardTicket, ...]
    complete: bool
    """Whether absence from `tickets` proves that a record is gone."""
    cursor: str | None = None
    unnamed: tuple[Unnamed, ...] = ()
    problems: tuple[BoardProblem, ...] = ()


class WriteKind(StrEnum):
    """What Operator tells a board."""

    STARTED = "started"
    AWAITING = "awaiting"
    REQUEUED = "requeued"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOTED = "noted"
    """The record stays where it is: only the comment or the link has news."""


@frozen
class BoardWrite:
    """One intended write-back, stored before it is done; per ticket they are done in order of `number`."""

    id: str
    number: int
    collection: str
    ticket_id: TicketId
    external_id: str
    kind: WriteKind
    at: datetime
    note: str = ""
    comment: str = ""
    """The whole Markdown text of Operator's one comment on the record, which is edited; empty: it stays as it is."""
    link: str | None = None
    """The address of the work, such as its pull request: linked from the record."""
    branch: str | None = None
    attempts: int = 0
    last_error: str | None = None
    done: bool = False
    about: str = ""
    """Stands for what was to be told when it was intended: work with the same mark has no news since."""


@frozen
class CollectionState:
    """What is remembered of a collection between pulls and restarts."""

    name: str
    cursor: str | None = None
    last_sync: datetime | None = None
    error_code: str | None = None
    error: str | None = None
    retry_at: datetime | None = None
    """The board wants no request before: neither a reading nor a write."""
    problems: tuple[BoardProblem, ...] = field(default=())
    hint: str | None = None
    """What a person can do about the error."""
    workspace: str = ""
    """Which place at the provider `cursor` and the tickets' external ids belong to."""
    last_full: datetime | None = None
    """When everything was read, not only what changed."""
    doubtful: tuple[str, ...] = ()
    """External ids of records whose state could not be trusted when it was read: they are to be read again."""
