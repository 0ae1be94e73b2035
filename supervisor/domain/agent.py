"""Agents: what fleet knows of one (its launch), and what its session knows (its activity)."""

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from supervisor.domain.ids import AgentId, DeliveryId, TicketId
from supervisor.domain.terminal import ParserState


class Source(StrEnum):
    """Where a state is known from, in order of trust."""

    EXIT = "exit"
    HOOK = "hook"
    SUBMIT = "submit"
    """Operator itself pressed Enter."""
    STATUS = "status"
    """The CLI's own status file."""
    TITLE = "title"
    OUTPUT = "output"
    SILENCE = "silence"
    SCREEN = "screen"
    LAUNCH = "launch"
    BACKEND = "backend"
    """The terminal backend says that the session is gone."""


class Meaning(StrEnum):
    """What a title, a hook or a status file says its agent is doing."""

    BUSY = "busy"
    IDLE = "idle"
    ASKING = "asking"
    BACKGROUND = "background"
    """Its turn is over, and tasks of that turn go on."""


@frozen
class Proof:
    """Since when a state holds and how that is known."""

    since: datetime
    source: Source
    evidence: str


@frozen
class ExitStatus:
    """How a process ended: exactly one of the two is set, or neither when nobody could tell."""

    code: int | None = None
    signal: int | None = None

    @property
    def ok(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal}"
        return f"exit {self.code}" if self.code is not None else "exit status unknown"


@frozen
class Starting:
    """The process is there, or about to be; it cannot take a prompt yet."""

    proof: Proof


@frozen
class Running:
    """A turn is under way."""

    proof: Proof


@frozen
class Idle:
    """Ready for a prompt."""

    proof: Proof


@frozen
class Asking:
    """It waits for a person."""

    proof: Proof
    question: str
    shown: bool = True
    """Its terminal shows it. Else only a hook asks, and the title says busy until that is answered."""
    follows: bool = False
    """It came right after another one: what the title said before it is what it said of that one."""


@frozen
class Exited:
    """Its process ended."""

    proof: Proof
    status: ExitStatus


@frozen
class Lost:
    """Its session, backend or machine went away; what became of the process is not known."""

    proof: Proof
    reason: str


AgentState = Starting | Running | Idle | Asking | Exited | Lost
GONE = (Exited, Lost)


@frozen
class Submission:
    """The last prompt that was entered and has not been seen to start or end a turn."""

    delivery_id: DeliveryId
    at: datetime
    reacted: bool = False
    """Something that only a working agent does was seen after it."""


@frozen
class TurnOver:
    """The end of a turn, as its hook tells it."""

    proof: Proof
    turn: str | None = None
    """The CLI's own name for the turn; None where it has none."""
    background: int = 0
    error: str | None = None
    limit_until: datetime | None = None
    sure: bool = True
    """It is the turn that is known to be under way: not another one, told late."""


@frozen
class Activity:
    """What one agent is doing. Its session actor alone writes it."""

    agent_id: AgentId
    state: AgentState
    turns_ended: int = 0
    title: str = ""
    title_speaks: bool = False
    """Its title has said busy at least once: then its titles are believed, and silence decides nothing."""
    title_asks: bool = False
    """Its title has told of a dialog at least once: then one that says idle tells that none is open."""
    title_says: Meaning | None = None
    title_since: datetime | None = None
    """Since when its title says so."""
    hook_at: datetime | None = None
    """When its last hook came; None if none ever did."""
    turn: str | None = None
    """The CLI's name for the turn that is under way, as far as its hooks have told it."""
    past_turns: tuple[str, ...] = ()
    """The names of the last turns that are over: what hooks still tell of those is old."""
    ending: TurnOver | None = None
    """An end that was told, and is believed once the title or the status file agrees."""
    held_up: bool = False
    """The end of this turn was told before, and it went on: a hook of the user's own does not let it end."""
    background: int = 0
    """Tasks that go on under a turn that its CLI calls finished."""
    background_shown: bool = False
    """The status file has told of those tasks: so it will tell of their end, too."""
    turn_error: str | None = None
    """What the last turn ended with, when it did not end well."""
    limit_until: datetime | None = None
    """When the usage limit ends that the last turn ran into."""
    interrupting: bool = False
    """The key that stops a turn was pressed in this turn."""
    interrupted: bool = False
    """The last turn was stopped by a person."""
    heard: bool = False
    """Hooks told of the turn's beginning and have been heard ever since: its end without one tells something."""
    plans_taken: int = 0
    """How many plans that it proposed were accepted, by a hook's answer or at the terminal."""
    plan_calls: tuple[str, ...] = ()
    """The CLI's names for the last of those: what is told twice is counted once."""
    conversation_id: str | None = None
    """The conversation that it said it is in; None where its CLI does not choose that itself."""
    ready: bool = False
    """It can take a pasted prompt."""
    submission: Submission | None = None
    stalled: Proof | None = None
    last_output: datetime | None = None
    offset: int = 0
    """How much of the transcript this state already takes into account."""
    parser: ParserState = field(factory=ParserState)


@frozen
class Planned:
    """The launch is intended."""


@frozen
class Prepared:
    """Its worktree is ready."""


@frozen
class Opened:
    """Its session exists."""

    pid: int | None = None


@frozen
class Retired:
    """It is over; its screen and transcript are kept until `keep_until`."""

    at: datetime
    reason: str
    keep_until: datetime | None = None


@frozen
class LaunchFailed:
    """It never ran."""

    at: datetime
    code: str
    reason: str
    hint: str = ""


LaunchPhase = Planned | Prepared | Opened | Retired | LaunchFailed
OVER = (Retired, LaunchFailed)


@frozen
class Agent:
    """One coding-agent CLI at work on one ticket, in one session; a new attempt is a new agent."""

    id: AgentId
    ticket_id: TicketId
    ticket_type: str
    title: str
    project: str
    driver: str
    backend: str
    started_at: datetime
    phase: LaunchPhase
    attempt: int = 1
    mode: str = "autonomous"
    worktree_path: str | None = None
    worktree_created: bool = False
    branch: str | None = None
    base: str | None = None
    """The commit its branch began at."""
    permission_mode: str | None = None
    """The mode that its step asks for; None: the driver's own."""
    conversation_id: str | None = None
    session_id: str | None = None
    """The backend's own name for the session."""
    collection: str | None = None
    external_id: str | None = None
    board_note: str = ""
    """What could not be checked at the board before the launch."""


class DeliveryState(StrEnum):
    """How far a text has come on its way into an agent's terminal."""

    PENDING = "pending"
    """Stored; the agent cannot take it yet."""
    TYPED = "typed"
    """It stands in the agent's terminal; Enter was not pressed, or nothing proves that it was obeyed."""
    SUBMITTED = "submitted"
    """Enter was pressed."""
    DELIVERED = "delivered"
    """The agent has acknowledged it or visibly begun to work on it."""
    REFUSED = "refused"
    UNKNOWN = "unknown"


SETTLED = (DeliveryState.DELIVERED, DeliveryState.REFUSED, DeliveryState.UNKNOWN)


@frozen
class Delivery:
    """One text for one agent. The intent is stored before the first key is sent."""

    id: DeliveryId
    agent_id: AgentId
    text: str
    created_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    reason: str = ""
    turns_before: int = 0
    """How many turns had ended when Enter was pressed: the turn it began is over when there are more."""
    origin: str = "step"
    """`step`, `nudge`, `review` or `person`."""
