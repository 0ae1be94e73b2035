"""Views to render."""

from datetime import UTC, datetime, timedelta

from attrs import evolve

from supervisor.domain import views

NOW = datetime(2026, 11, 24, 14, 6, 30, tzinfo=UTC)


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


AGENT = views.AgentView(
    id="ENG-14~1",
    ticket_id="ENG-14",
    ticket_type="FEAT",
    title="Dark mode",
    project="app",
    state=views.StateView("running", ago(minutes=11), "title", "busy: ⠂ claude"),
    status="running",
    needs=None,
    stalled=False,
    review_id=None,
    mode="autonomous",
    attempt=1,
    started_at=ago(minutes=12),
    current_step="build",
    step_number=2,
    step_count=4,
    driver="claude",
    backend="tmux",
    branch="operator/ENG-14",
    worktree_path="/work/ENG-14",
    session_id="op-ENG-14~1",
    phase="opened",
    phase_reason=None,
    exit=None,
    last_title="⠂ claude",
)
ASKING = evolve(
    AGENT,
    id="ENG-19~2",
    ticket_id="ENG-19",
    state=views.StateView("awaiting_input", ago(seconds=20), "screen", "a dialog"),
    status="awaiting_input",
    needs="codex wants: rm -rf build\x1b[31m",
    driver="codex",
    attempt=2,
)
TICKET = views.TicketView(
    id="ENG-20",
    external_key="ENG-20",
    url=None,
    title="Null in invoice total",
    type="FIX",
    status="queued",
    since=ago(hours=1),
    reason=None,
    until=None,
    priority=1,
    project=None,
    driver=None,
    labels=(),
    blocked_by=(),
    collection="backend",
    step=None,
    attempts=0,
    launches=0,
    agent_id=None,
    branch=None,
    problem=None,
    closed_on_board=False,
    no_changes=False,
    dirty=False,
    conflict=None,
    created_at=ago(hours=1),
    updated_at=ago(hours=1),
)
PARKED = evolve(
    TICKET,
    id="WEB-80",
    type="TASK",
    status="parked",
    reason="retry: exit 1",
    until=NOW + timedelta(seconds=40),
)
BACKEND = views.CollectionView("backend", "local", "/tickets", ago(seconds=14), None, None, None, None, 0, ())
LIMITED = views.CollectionView(
    "web", "local", "/web", ago(hours=3), None, "transport", "cannot be read", NOW + timedelta(seconds=40), 2, ()
)
STATUS = views.StatusView(
    version="0.4.0",
    paused=False,
    pause_reason=None,
    counts=views.QueueStatus(12, 2, 1, 5, 1, 0, 0, {"FIX": 12}),
    max_agents=4,
    agents=3,
    needs_you=1,
    collections=(BACKEND, LIMITED),
    backends=(views.BackendView("tmux", True, "3.5a"),),
    drivers=(views.DriverView("claude", "command", ("claude",)),),
    projects=("app",),
    streams=views.StreamsView(
        "ws://127.0.0.1:7009/api/v1/activity", "ws://127.0.0.1:7009/api/v1/agents/{agent}/terminal"
    ),
    since=ago(hours=5),
    state_dir="/state",
    head=42,
    warnings=(),
)

# --- reviews ----------------------------------------------------------------------------------------

PLAN = views.ReviewView(
    id=31,
    kind="plan",
    status="pending",
    ticket_id="ENG-12",
    agent_id="ENG-12~1",
    step="plan",
    run=1,
    title="Rate limits",
    opened_at=ago(minutes=4),
    waited=240.0,
    decided_at=None,
    decided_by=None,
    reason=None,
    answers={},
    by_hook=False,
    held=False,
    told=False,
    plan="# Rate limits\n\n1. Middleware\x1b[2J in api/limits.py\n",
    plan_path="docs/plan.md",
    tool=None,
    tool_input=None,
    command=None,
    questions=(),
    artifacts=(),
    branch=None,
    commits=0,
    stat=None,
    url=None,
    note=None,
)
PERMISSION = evolve(
    PLAN,
    id=32,
    kind="permission",
    ticket_id="ENG-19",
    agent_id="ENG-19~2",
    title="It wants to use Bash: rm -rf build",
    opened_at=ago(seconds=20),
    waited=20.0,
    by_hook=True,
    held=True,
    plan=None,
    plan_path=None,
    tool="Bash",
    tool_input='{"command": "rm -rf build\\nls", "description": "Clean \\u001b[2Jup"}',
    command="rm -rf build\nls",
)
QUESTION = evolve(
    PERMISSION,
    id=33,
    kind="question",
    title="Which database?",
    tool="AskUserQuestion",
    tool_input="{}",
    command=None,
    questions=(
        views.QuestionView(
            "Which database?",
            "Database",
            (views.OptionView("Postgres", "as now"), views.OptionView("SQLite", "")),
            False,
        ),
    ),
)
VISUAL = evolve(
    PLAN,
    id=34,
    kind="visual",
    title="look at shots/login.png, http://[::1]:8000/",
    plan=None,
    plan_path=None,
    artifacts=(
        views.ArtifactView("shots/login.png", "image/png", 42_130, "http://127.0.0.1:7008/api/v1/reviews/34/x.png"),
        views.ArtifactView("page.html", "text/html", 61, "http://[::1]:8000/"),
    ),
)
PULL = evolve(
    PLAN,
    id=35,
    kind="pr",
    title="2 commits, http://[::1]/pull/3",
    plan=None,
    plan_path=None,
    branch="operator/ENG-12",
    commits=2,
    stat=" api/limits.py | 40 +++\n 1 file changed",
    url="http://[::1]/pull/3",
)
