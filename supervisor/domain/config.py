"""What `operator.toml` may say. Every key stands here, with its default; anything else is an error."""

from typing import Literal

from attrs import Factory, field, frozen, validators

from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.durations import Duration
from supervisor.domain.issue_type import IssueType, Mode, Step
from supervisor.domain.review import ReviewKind

WriteName = Literal["started", "awaiting", "requeued", "done", "failed", "cancelled"]

_POSITIVE = validators.optional(validators.ge(1))


@frozen
class DaemonConfig:
    state_dir: str | None = None
    """Default: the user's state directory."""
    host: str = "127.0.0.1"
    port: int = field(default=7008, validator=[validators.ge(0), validators.le(65535)])
    stream_port: int = field(default=7009, validator=[validators.ge(0), validators.le(65535)])
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@frozen
class QueueConfig:
    max_agents: int = field(default=4, validator=validators.ge(1))
    max_per_project: int | None = field(default=None, validator=_POSITIVE)
    max_awaiting: int | None = field(default=None, validator=_POSITIVE)
    max_attempts: int = field(default=3, validator=validators.ge(1))
    max_losses: int = field(default=5, validator=validators.ge(1))
    retry_base: Duration = Duration(10.0)
    retry_cap: Duration = Duration(300.0)
    driver: str | None = None
    project: str | None = None


@frozen
class SessionsConfig:
    backend: Literal["auto", "tmux", "vscode"] = "auto"
    """auto: tmux where it is installed, else vscode."""
    keep_sessions: Duration = Duration(24 * 3600.0)
    columns: int = field(default=200, validator=[validators.ge(20), validators.le(1000)])
    rows: int = field(default=50, validator=[validators.ge(5), validators.le(500)])
    transcript_limit: int = field(default=16 * 1024 * 1024, validator=[validators.ge(65536), validators.le(2**40)])
    """Bytes of a transcript that stay on disk."""


@frozen
class ProjectConfig:
    path: str
    worktrees: bool = True
    base: str | None = None
    """The branch or commit that tickets start from; default: what the repository has checked out."""
    setup: str | None = None
    """A shell command run once in each new worktree."""
    setup_timeout: Duration = Duration(600.0)
    pull_requests: Literal["none", "gh"] = "none"
    """How a finished branch is offered for merging: not at all, or by the `gh` command, which must be logged in."""
    remote: str = "origin"
    """Where branches are pushed for pull requests."""
    copy: tuple[str, ...] = ()
    """Files copied from the repository's own folder, such as `.env`."""
    max_agents: int | None = field(default=None, validator=_POSITIVE)


@frozen
class DriverConfig:
    command: tuple[str, ...]
    kind: Literal["command", "claude", "codex"] = "command"
    args: tuple[str, ...] = ()
    model: str | None = None
    permission_mode: str | None = None
    env: dict[str, str] = Factory(dict)
    idle_after: Duration = Duration(10.0)
    prompt_pattern: str | None = None
    quit: str | None = None
    """What is typed to end the program, such as `/exit`."""
    interrupt: str = "Escape"
    """The key that stops a turn."""
    stop_grace: Duration = Duration(3.0)
    max_agents: int | None = field(default=None, validator=_POSITIVE)


@frozen
class CollectionConfig:
    """Which of the boards' keys are needed depends on the provider: `config_reader` says it."""

    provider: Literal["local", "jira", "linear", "github"]
    path: str = ""
    """local: the folder."""
    base_url: str | None = None
    """Where the provider is; needed for jira. Plain http is for loopback only."""
    email: str | None = None
    """jira: whose API token it is."""
    key: str | None = None
    """jira: the project's key, such as ENG."""
    team: str | None = None
    """linear: the team's key."""
    repo: str | None = None
    """github: `owner/name`, for its plain issues."""
    board: str | None = None
    """github: `owner/7`, for project 7 of a user or an organization."""
    token_env: str | None = None
    """The environment variable that holds the token; default: the provider's usual one."""
    token_file: str | None = None
    """A file of mode 0600 that holds the token."""
    webhook_secret_env: str | None = None
    """The environment variable that holds the webhook's secret; without it no webhook is heard."""
    states: dict[WriteName, str] = Factory(dict)
    """What the board's own states are called: `started = "In Progress"`; the rest is found by its category."""
    types: dict[str, str] = Factory(dict)
    """Issue types by the board's own type or label: `Bug = "FIX"`."""
    full_every: Duration = Duration(6 * 3600.0)
    """How often everything is read, not only what changed: so a deletion is noticed."""
    project: str | None = None
    driver: str | None = None
    type: str | None = None
    """The type of tickets that name none; default TASK."""
    labels: tuple[str, ...] = ()
    """Only tickets that have all of these are taken up."""
    interval: Duration = Duration(60.0)
    write_back: bool = True
    on_closed: Literal["finish", "stop"] = "finish"


@frozen
class StepConfig:
    name: str
    prompt: str
    artifacts: tuple[str, ...] = ()
    max_turns: int = field(default=3, validator=validators.ge(1))
    permission_mode: str | None = None
    review: Literal["plan", "visual", "pr"] | None = None
    on_reject: str | None = None
    max_time: Duration | None = None


@frozen
class PermissionRule:
    """What an agent may do, or not, without asking a person. Of the rules that fit, one that denies wins."""

    action: Literal["allow", "deny"]
    tool: str = "*"
    """The tool's name, as its CLI calls it; `*` and `?` stand for other characters."""
    pattern: str = "*"
    """What it would run, write or fetch. To allow a shell command it must fit as a whole, and not join others to it."""
    driver: str | None = None
    """Only for agents of this driver."""
    reason: str = ""
    """What an agent is told when it is denied."""


@frozen
class TypeConfig:
    """A built-in type keeps what is not given here; a type of one's own is like TASK, or SPIKE if it is paired."""

    steps: tuple[StepConfig, ...] = ()
    mode: Mode | None = None
    color: str | None = None
    icon: str | None = None
    rank: int | None = None
    driver: str | None = None
    project: str | None = None
    max_agents: int | None = field(default=None, validator=_POSITIVE)


@frozen
class Config:
    """The whole file."""

    daemon: DaemonConfig = Factory(DaemonConfig)
    queue: QueueConfig = Factory(QueueConfig)
    sessions: SessionsConfig = Factory(SessionsConfig)
    projects: dict[str, ProjectConfig] = Factory(dict)
    drivers: dict[str, DriverConfig] = Factory(dict)
    collections: dict[str, CollectionConfig] = Factory(dict)
    types: dict[str, TypeConfig] = Factory(dict)
    permissions: tuple[PermissionRule, ...] = ()


def issue_types(config: Config) -> dict[str, IssueType]:
    """The built-in types with the file's changes laid over them, and the file's own."""
    return BUILT_IN | {name: _issue_type(name, given) for name, given in config.types.items()}


def _issue_type(name: str, given: TypeConfig) -> IssueType:
    known = BUILT_IN.get(name, BUILT_IN["SPIKE" if given.mode is Mode.PAIRED else "TASK"])
    steps = tuple(
        Step(
            step.name,
            step.prompt,
            step.artifacts,
            step.max_turns,
            step.permission_mode,
            ReviewKind(step.review) if step.review is not None else None,
            step.on_reject,
            step.max_time,
        )
        for step in given.steps
    )
    return IssueType(
        name=name,
        steps=steps or known.steps,
        mode=known.mode if given.mode is None else given.mode,
        color=given.color or (known.color if name in BUILT_IN else "white"),
        icon=given.icon or (known.icon if name in BUILT_IN else "circle-outline"),
        rank=known.rank if given.rank is None else given.rank,
        driver=given.driver,
        project=given.project,
        max_agents=given.max_agents,
    )
