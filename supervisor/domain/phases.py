"""How far an agent has come with its ticket's steps: the records that the step engine (`steps.py`) moves on. Pure."""

from datetime import datetime

from attrs import field, frozen

from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId
from supervisor.domain.ticket import Resume

NOTHING = DeliveryId("")
"""The delivery of a progress that has not begun."""


@frozen
class Prompting:
    """The step's prompt (or a nudge) is intended; its delivery has this id and this text."""

    delivery_id: DeliveryId
    text: str
    """Empty: the step's own template is still to be rendered."""
    origin: str = "step"
    measured: bool = False
    """What matched the step's globs when this run began is known."""


@frozen
class Working:
    """The prompt is in; its turn has not been judged yet."""

    delivery_id: DeliveryId


@frozen
class WithPerson:
    """Operator can go no further by itself: a person prompts the agent, finishes or cancels the ticket."""

    why: str
    turns: int
    """How many turns had ended when the person was asked: one more is judged anew."""
    took_prompt: bool = True
    """Whether the agent had taken the step's prompt; without it, its leaving is no end of a turn."""


@frozen
class StepsDone:
    """The last step ended."""

    at: datetime
    no_changes: bool = False
    """Neither a commit nor a changed file came of it."""
    dirty: bool = False


@frozen
class Broke:
    """This attempt is over without success."""

    at: datetime
    reason: str


@frozen
class Vanished:
    """The session was lost: no attempt is used up."""

    at: datetime
    reason: str


@frozen
class Resting:
    """A turn ended with an error that may pass: the agent is told to go on when `until` comes."""

    until: datetime
    why: str
    turns: int
    """How many turns had ended: one more, begun by a person, is judged anew."""


@frozen
class Due:
    """The step's run has ended, and what a person decides about is being gathered."""

    turns: int


@frozen
class InReview:
    """A person decides about what the step's run left; the agent waits, or has ended meanwhile."""

    review_id: ReviewId
    turns: int


@frozen
class HandedOver:
    """The ticket's next agent goes on: in another permission mode, or because this one has ended."""

    at: datetime
    resume: Resume
    why: str


@frozen
class Shelved:
    """A review waits for its verdict without an agent: a branch needs none for that, and an agent may have ended."""

    at: datetime
    resume: Resume


@frozen
class Limited:
    """The agent's CLI has reached its usage limit: no attempt is used up."""

    at: datetime
    reason: str
    until: datetime


Phase = (
    Prompting | Working | WithPerson | Resting | Due | InReview
    | StepsDone | HandedOver | Shelved | Broke | Vanished | Limited
)  # fmt: skip
OVER = (StepsDone, HandedOver, Shelved, Broke, Vanished, Limited)
"""For this agent; what follows for its ticket, `domain.lifecycle` says."""


@frozen
class Progress:
    """How far one agent has come with its ticket's steps. The review actor alone writes it."""

    ticket_id: TicketId
    agent_id: AgentId
    phase: Phase
    step: int = 0
    run: int = 1
    nudges: int = 0
    baseline: dict[str, str] = field(factory=dict)
    """Fingerprints of what matched the step's artifact globs when this run of the step began."""
    reason: str = ""
    """Why a person rejected the run before this one."""
    review_id: ReviewId | None = None
    """The review that led to this run."""
    why: str = ""
    """Why this run began, where it may not be the step's first."""
    mode: str | None = None
    """The permission mode that the agent's CLI is in; None: the driver's own."""
    plans: int = 0
    """How many of the agent's plans had been accepted when this run began."""
    began_at: datetime | None = None
    """When this run began; later by the time that its dialogs waited for a person, once they are answered."""
    asking_since: datetime | None = None
    """Since when the agent waits for a person within a run whose time is limited."""
