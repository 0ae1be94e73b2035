"""Records with everything filled in that a test does not care about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from supervisor.domain.agent import (
    Activity,
    Agent,
    AgentState,
    Asking,
    Delivery,
    DeliveryState,
    Exited,
    ExitStatus,
    Idle,
    LaunchPhase,
    Lost,
    Opened,
    Proof,
    Running,
    Source,
    Starting,
)
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.config import Config, QueueConfig
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId
from supervisor.domain.issue_type import IssueType
from supervisor.domain.phases import Phase, Progress
from supervisor.domain.queue import Route, Settings
from supervisor.domain.review import (
    Artifact,
    Changes,
    Option,
    Permission,
    PlanText,
    Question,
    Questions,
    Request,
    Review,
    ReviewKind,
    Visuals,
)
from supervisor.domain.ticket import Queued, Ticket

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AGENT = AgentId("A-1~1")
PROMPT = DeliveryId("A-1~1.0.1.0")


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def ticket(id: str = "A-1", **changes: Any) -> Ticket:
    given: dict[str, Any] = {
        "title": "t",
        "type": "TASK",
        "status": Queued(NOON),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Ticket(id=TicketId(id), **({"updated_at": NOON} | given | changes))


def settings(
    queue: QueueConfig | None = None,
    *,
    types: dict[str, IssueType] | None = None,
    projects: dict[str, int | None] | None = None,
    drivers: dict[str, int | None] | None = None,
    collections: dict[str, Route] | None = None,
) -> Settings:
    """One project `api` and one driver `claude`, if not told otherwise."""
    return Settings(
        queue=queue or Config().queue,
        types=BUILT_IN if types is None else types,
        projects={"api": None} if projects is None else projects,
        drivers={"claude": None} if drivers is None else drivers,
        collections=collections or {},
    )


def agent(phase: LaunchPhase | None = None, **changes: Any) -> Agent:
    given: dict[str, Any] = {
        "id": AGENT,
        "ticket_id": TicketId("A-1"),
        "ticket_type": "TASK",
        "title": "t",
        "project": "api",
        "driver": "claude",
        "backend": "tmux",
        "started_at": NOON,
        "phase": Opened(7) if phase is None else phase,
        "branch": "operator/A-1",
    }
    return Agent(**(given | changes))


PROOF = Proof(NOON, Source.HOOK, "seen")
STARTING = Starting(PROOF)
RUNNING = Running(PROOF)
IDLE = Idle(PROOF)
ASKING = Asking(PROOF, "Proceed?")
EXITED = Exited(PROOF, ExitStatus(code=0))
FAILED = Exited(PROOF, ExitStatus(code=1))
KILLED = Exited(PROOF, ExitStatus(signal=9))
LOST = Lost(PROOF, "the server died")
STATES: tuple[AgentState, ...] = (STARTING, RUNNING, IDLE, ASKING, EXITED, FAILED, KILLED, LOST)


def activity(state: AgentState = IDLE, turns: int = 0, **changes: Any) -> Activity:
    return Activity(AGENT, state, turns, **changes)


def progress(phase: Phase, **changes: Any) -> Progress:
    return Progress(TicketId("A-1"), AGENT, phase, **changes)


def delivery(state: DeliveryState, turns_before: int = 0, id: DeliveryId = PROMPT, reason: str = "") -> Delivery:
    return Delivery(id, AGENT, "do it", NOON, state, reason, turns_before)


# --- reviews --------------------------------------------------------------------------------------

WANTS = Request(ReviewKind.PERMISSION, "Bash", '{"command": "rm -rf build"}', "It wants to use Bash: rm -rf build")
ASKS = Request(ReviewKind.QUESTION, "AskUserQuestion", "{}", "Which db?")
PROPOSES = Request(ReviewKind.PLAN, "ExitPlanMode", "{}", "It proposes a plan.")
PLAN = PlanText("# Limits\n\n1. Middleware", "plan.md")
SHOTS = Visuals(
    (Artifact("shots/a b.png", "image/png", 42_000), Artifact("page.html", "text/html", 60, "http://[::1]/"))
)
PERMISSION = Permission(WANTS)
QUESTIONS = Questions(ASKS, (Question("Which db?", (Option("Postgres", "as now"), Option("SQLite")), "Database"),))
CHANGES = Changes("operator/A-1", 2, " a.py | 2 +-", url="http://[::1]/pull/3", number=3)
SUBJECTS = {
    ReviewKind.PLAN: PLAN,
    ReviewKind.VISUAL: SHOTS,
    ReviewKind.PERMISSION: PERMISSION,
    ReviewKind.QUESTION: QUESTIONS,
    ReviewKind.PR: CHANGES,
}


def review(kind: ReviewKind = ReviewKind.PLAN, number: int = 31, **changes: Any) -> Review:
    """A pending one of `AGENT`'s, opened at noon."""
    given: dict[str, Any] = {
        "id": ReviewId(number),
        "kind": kind,
        "ticket_id": TicketId("A-1"),
        "agent_id": AGENT,
        "step": "plan",
        "run": 1,
        "title": "Limits",
        "opened_at": NOON,
        "subject": SUBJECTS[kind],
    }
    return Review(**(given | changes))
