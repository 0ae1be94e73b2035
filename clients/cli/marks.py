"""The marks and colours of states and ticket types, the same on every surface. Pure."""

from attrs import frozen

from supervisor.domain.views import AgentView


@frozen
class Mark:
    """One sign, its likeness for terminals that cannot show it, and the role its colour plays."""

    sign: str
    ascii: str
    role: str


QUEUED = Mark("◌", ".", "muted")
PARKED = Mark("‖", "=", "muted")
STARTING = Mark("◔", ">", "info")
RUNNING = Mark("●", "*", "ok")
IDLE = Mark("○", "o", "muted")
NEEDS_YOU = Mark("◆", "!", "attention")
REVIEW = Mark("◈", "#", "attention")
DONE = Mark("✓", "+", "ok")
FAILED = Mark("✗", "x", "error")
CANCELLED = Mark("✗", "x", "muted")
LOST = Mark("?", "?", "error")
NONE = Mark(" ", " ", "")
"""Of what happened without being a state."""

TICKETS = {
    "queued": QUEUED,
    "parked": PARKED,
    "launching": STARTING,
    "running": RUNNING,
    "awaiting": NEEDS_YOU,
    "done": DONE,
    "failed": FAILED,
    "cancelled": CANCELLED,
}
AGENTS = {
    "starting": STARTING,
    "running": RUNNING,
    "idle": IDLE,
    "asking": NEEDS_YOU,
    "awaiting_input": NEEDS_YOU,
    "awaiting_review": REVIEW,
    "lost": LOST,
}
VERDICTS = {
    "approved": DONE,
    "answered": DONE,
    "rejected": CANCELLED,
    "superseded": NONE,
}
TYPES = {"FEAT": "cyan", "FIX": "red", "TASK": "green", "SPIKE": "magenta", "INV": "yellow"}


def of_ticket(status: str) -> Mark:
    """The mark of a ticket's status; an unknown one is a word too."""
    return TICKETS.get(status, LOST)


def of_review(kind: str) -> Mark:
    """The mark of what waits for a verdict: to be looked at, or only a word."""
    return REVIEW if kind in ("plan", "visual", "pr") else NEEDS_YOU


def of_agent(agent: AgentView) -> Mark:
    """The mark of what an agent does."""
    if agent.state.name == "exited":
        return DONE if agent.status == "completed" else FAILED
    return AGENTS.get(agent.state.name, LOST)
