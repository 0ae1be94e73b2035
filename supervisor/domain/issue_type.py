"""Issue types: an ordered list of steps, and how tickets of that type look and rank."""

from enum import StrEnum

from attrs import frozen

from supervisor.domain.durations import Duration
from supervisor.domain.review import ReviewKind


class Mode(StrEnum):
    """Who drives the agent."""

    AUTONOMOUS = "autonomous"
    PAIRED = "paired"
    """A person at the terminal does; a turn's end means nothing more than that."""


@frozen
class Step:
    """One stretch of work in a ticket."""

    name: str
    prompt: str
    """A jinja2 template; the ticket's own text reaches it only as fenced data."""
    artifacts: tuple[str, ...] = ()
    """Globs inside the worktree; each must match a file made or changed since this run of the step began."""
    max_turns: int = 3
    """How many turns may end without the artifacts before a person is asked."""
    permission_mode: str | None = None
    """The mode its agent CLI works in, by the CLI's own name; None: the driver's."""
    review: ReviewKind | None = None
    """What a person decides at its end: `plan`, `visual` or `pr`; None: nothing."""
    on_reject: str | None = None
    """The step that a rejection leads to; None: this one again."""
    max_time: Duration | None = None
    """How long one run of it may take; longer uses up the attempt. None: as long as it likes."""


@frozen
class IssueType:
    """What to do with a ticket of this type."""

    name: str
    steps: tuple[Step, ...]
    mode: Mode = Mode.AUTONOMOUS
    color: str = "white"
    icon: str = "circle-outline"
    rank: int = 50
    """Tickets of a lower rank are taken first."""
    driver: str | None = None
    project: str | None = None
    max_agents: int | None = None
