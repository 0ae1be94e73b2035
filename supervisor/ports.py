"""What the actors need from the outside, as Protocols. Adapters implement one each; `daemon.py` joins them.

Deadlines are the caller's. An adapter raises the errors of `domain.errors` that its docstrings name and no others.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

import trio
from attrs import field, frozen

from supervisor.domain.activity import Filter, Recorded
from supervisor.domain.agent import Activity, Agent, Delivery, ExitStatus, Meaning
from supervisor.domain.hooks import HookEvent, TurnEnd
from supervisor.domain.ids import AgentId, DeliveryId, Seq, TicketId
from supervisor.domain.issue_type import Step
from supervisor.domain.phases import Progress
from supervisor.domain.retention import Retention
from supervisor.domain.review import Artifact, Decision, Question, Request, Review
from supervisor.domain.signals import Rules
from supervisor.domain.ticket import BoardTicket, BoardWrite, Body, CollectionState, Pull, Ticket, Unnamed

# --- the store's disk -------------------------------------------------------------------------------


@frozen
class Setting:
    """One durable value under a name: the pause, a counter."""

    name: str
    value: str


Record = Ticket | Body | Agent | Activity | Delivery | Progress | Review | BoardWrite | CollectionState | Setting
R = TypeVar("R", bound=Record)


class Disk(Protocol):
    """Records and the activity log on a disk. Synchronous: the store actor calls it in a thread of its own."""

    @property
    def epoch(self) -> str:
        """Names this database; a restored copy gets a new one."""

    def open(self) -> None:
        """Make it usable, migrating if needed. Raises a StoreError and then has written nothing."""

    def close(self) -> None:
        """Release the files. Idempotent."""

    def commit(self, puts: Sequence[Record], entries: Sequence[Recorded], durable: bool) -> None:
        """Write records (replacing those of the same key) and entries in one transaction.

        `durable`: on disk when it returns, also against power loss. Otherwise only against a crash of ours.
        Raises a StoreError, or Conflict or Invalid where a record is at fault, and then has written none of it.
        """

    def head(self) -> tuple[Seq, Seq]:
        """The oldest and the newest `seq` there are; (1, 0) when there are none."""

    def load(self, kind: type[R], where: Mapping[str, str | int | bool] | None = None) -> list[R]:
        """All records of a kind whose indexed fields equal `where`, in order of their keys."""

    def get(self, kind: type[R], key: str) -> R | None:
        """One record by its key."""

    def entries(self, after: Seq, limit: int, wanted: Filter) -> list[Recorded]:
        """At most `limit` entries with a greater `seq`, in order."""

    def prune(self, keep: Retention, now: datetime, limit: int) -> int:
        """Delete what need not be kept: at most `limit` of each kind, the oldest entries first. How many they were.

        For one thread at a time, as `commit`. Raises a StoreError, and then has deleted nothing.
        """


# --- sessions ---------------------------------------------------------------------------------------


@frozen
class SessionSpec:
    """What to run in a new session."""

    agent_id: AgentId
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    """The whole environment of the agent; it may hold the user's secrets, so it is never shown."""
    columns: int = 200
    rows: int = 50
    title: str = ""
    """For people: ticket and step."""


@frozen
class Stamps:
    """What the session itself remembers of deliveries: the last one typed and the last one entered."""

    typed: DeliveryId | None = None
    submitted: DeliveryId | None = None


@frozen
class Attach:
    """How a person reaches a session from a terminal."""

    argv: tuple[str, ...]


@frozen
class Replay:
    """What makes an empty terminal show what a session's terminal shows."""

    offset: int
    """How much of the transcript it stands for: the bytes from there on continue it."""
    columns: int
    rows: int
    exact: bool
    """False: what is shown may differ here and there until the program draws it anew, or a later replay is taken."""
    data: bytes


class Session(Protocol):
    """One agent's terminal. Methods raise SessionGone when it is not there any more, BackendError when
    the backend does not answer (then nothing is known)."""

    agent_id: AgentId
    session_id: str
    """The backend's exact name for it."""
    pid: int | None

    @property
    def exit(self) -> ExitStatus | None:
        """How the agent's process ended; None while it lives or when it is not known."""

    @property
    def lost(self) -> str | None:
        """Why the session is gone although nobody saw its process end."""

    closed: bool
    """Whether it was removed, with its screen."""

    @property
    def end(self) -> int:
        """The transcript's length so far, in bytes; offsets stay valid for ever."""

    async def changed(self, seen: int) -> int:
        """Wait for more news than the `seen` there were: of output, exit, loss or removal. How many there are by now.

        Any number of tasks may wait, each with a count of its own. Whoever says 0 hears at once.
        """

    async def read(self, offset: int, limit: int) -> tuple[int, bytes]:
        """Transcript bytes from `offset`, or from the oldest kept byte after it: (where they begin, bytes)."""

    async def type(self, delivery_id: DeliveryId, text: str) -> None:
        """Put text into the agent's input as one paste, every byte of it, and stamp it, in one step.

        ESC and other bytes that could end the paste are the caller's to strip (`domain.delivery`).
        """

    async def submit(self, delivery_id: DeliveryId) -> None:
        """Press Enter and stamp it, in one step."""

    async def stamps(self) -> Stamps:
        """What was typed and submitted last, as the session itself remembers it."""

    async def press(self, *keys: str) -> None:
        """Press named keys, in tmux's notation: `Escape`, `C-c`, `Enter`."""

    async def write(self, data: bytes) -> None:
        """Put what a person types into the agent's input, every byte as it is and nothing in between."""

    async def replay(self) -> Replay:
        """What restores the screen elsewhere: its content, cursor and modes, on which of its two screens it is."""

    async def screen(self, *, styled: bool = False) -> str:
        """What the terminal shows, as text; `styled`: with the SGR sequences that it is shown in."""

    async def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size; ignored while a person's own terminal is attached."""

    async def busy_children(self) -> bool:
        """Whether a descendant of the agent used the processor since the last call."""

    async def stop(self, grace: float) -> None:
        """End the agent and its whole process group: hang up, terminate, kill, `grace` seconds apart, confirmed."""

    async def close(self) -> None:
        """Remove a session whose agent has ended, with its screen. Idempotent."""

    def attach(self) -> Attach:
        """How to reach it from a terminal."""


class SessionBackend(Protocol):
    """A provider of persistent terminals."""

    name: str

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled; `started` once sessions can be listed. Leaves every session running."""

    async def sessions(self) -> Sequence[Session]:
        """Every session of this state directory, live or with a dead agent in it.

        Raises BackendError when they cannot be listed: then nothing may be concluded.
        """

    async def open(self, spec: SessionSpec) -> Session:
        """Start an agent in a new session. If a session carries this agent id already, that one is returned."""

    async def forget(self, agent_id: AgentId) -> None:
        """Delete the transcript and whatever else is kept of a session that is closed. Idempotent."""


# --- agents -----------------------------------------------------------------------------------------


@frozen
class LaunchRequest:
    """What a driver needs to know to start its CLI."""

    agent_id: AgentId
    ticket_id: TicketId
    cwd: str
    environment: Mapping[str, str] = field(repr=False)
    """The environment agents start from, without secrets of ours."""
    private_dir: Path
    """A folder of the agent's own, mode 0700, for settings that must not stand in its argv."""
    hook_url: str = ""
    """Where the CLI posts its hooks; empty: nowhere."""
    hook_token: str = field(default="", repr=False)
    """What it must bring to be heard there; it is good for this agent only."""
    launch: str = ""
    """Names this launch: the same when it is tried again, and never that of another."""
    conversation_id: str | None = None
    """The conversation of the ticket's last agent, to be resumed if the CLI still has it."""
    permission_mode: str | None = None


@frozen
class LaunchPlan:
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    conversation_id: str | None = None


class AgentDriver(Protocol):
    """What Operator knows about one agent CLI. Pure but for `plan`, which may write the CLI's 0600 settings."""

    name: str
    kind: str
    rules: Rules
    interrupt_keys: tuple[str, ...]
    clear_keys: tuple[str, ...]
    """What empties its composer; nothing where that is not known, and then `composer` tells nothing either."""
    quit_text: str | None
    stop_grace: float

    def plan(self, request: LaunchRequest) -> LaunchPlan:
        """How to start it. Raises DriverError when it cannot be started, such as a program that is not found."""

    def read_title(self, title: str) -> Meaning | None:
        """What the agent says by its terminal title."""

    def prompt_shown(self, screen: str) -> bool:
        """Whether the screen shows the CLI waiting for a prompt; False where nothing is known of its screen."""

    def read_hook(self, payload: Mapping[str, object], now: datetime) -> HookEvent | None:
        """What a hook's payload says; None if nothing that matters. The payload is untrusted."""

    def dialog(self, screen: str) -> str | None:
        """The question of a dialog that no hook or title tells of, such as a first-run one; None if none is known."""

    def read_request(self, payload: Mapping[str, object]) -> Request | None:
        """What a hook's payload asks a person, if its answer can decide that; None for any other. Untrusted."""

    def questions(self, request: Request) -> tuple[Question, ...]:
        """What a request of kind `question` asks."""

    def plan_text(self, request: Request) -> str:
        """The plan that a request of kind `plan` proposes."""

    def answer(self, request: Request, decision: Decision, mode: str | None) -> dict[str, object]:
        """A hook's answer that carries the decision out; empty where the CLI is to ask at its terminal alone.

        `mode`: the permission mode that an approved plan is carried out in; None: the CLI's own choice.
        """

    def mode_after_plan(self, wanted: str | None) -> str | None:
        """The permission mode that the CLI is in after a plan was approved with `mode=wanted`."""

    def keys_for(self, request: Request, decision: Decision, screen: str) -> tuple[str, ...] | None:
        """What to press at the dialog on the screen to carry the decision out; None unless the dialog is certainly
        the request's. A reason is told by a prompt afterwards."""

    def was_told(self, conversation_id: str, text: str) -> bool | None:
        """Whether the conversation's record holds a text; None where there is no record."""

    has_modes: bool
    """Whether a permission mode means something to the CLI, so that another one needs another start."""

    def look(self, pid: int) -> tuple[Meaning, str] | None:
        """What the CLI's own status file says of a process, with the words it says it in; None where there is none."""

    def last_turn(self, conversation_id: str) -> TurnEnd | None:
        """How the last turn of a conversation ended that is over, by the CLI's own record; None if that is not known.

        Only for an agent that is idle: of a turn under way the record says that it was stopped.
        """

    def composer(self, screen: str) -> str | None:
        """The text where the CLI's prompts are typed, by a styled screen; a suggestion of the CLI's own is no text.

        None if the screen shows no such place, or none is known.
        """


class MissedHooks(Protocol):
    """Hooks of agents' CLIs that were called while no daemon heard them."""

    def read(self, agent_id: AgentId) -> Mapping[str, Mapping[str, object]]:
        """Their payloads by name, oldest first, and nothing where there are none. They are untrusted."""

    def forget(self, agent_id: AgentId, names: Iterable[str]) -> None:
        """What they said is stored. Idempotent."""


# --- boards -----------------------------------------------------------------------------------------


@frozen
class NewTicket:
    """A ticket that a person writes here for a board to keep."""

    id: TicketId
    title: str
    body: str
    type: str
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()


@frozen
class TicketDraft:
    """A ticket that a person writes; its id is given by whoever keeps it."""

    title: str
    body: str = ""
    type: str | None = None
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] = ()
    blocked_by: tuple[str, ...] = ()
    collection: str | None = None


@frozen
class Edit:
    """A change to a ticket's own text; None leaves a field as it is."""

    title: str | None = None
    body: str | None = None
    type: str | None = None
    priority: int | None = None
    project: str | None = None
    driver: str | None = None
    labels: tuple[str, ...] | None = None
    blocked_by: tuple[str, ...] | None = None


@frozen
class Written:
    """The board now says what was written."""


@frozen
class Conflicted:
    """A person moved the record meanwhile. Theirs wins; nothing was written."""

    theirs: str


WriteResult = Written | Conflicted


class KanbanProvider(Protocol):
    """One place tickets come from. Raises BoardError's subclasses."""

    name: str
    """The collection's name."""

    async def pull(self, cursor: str | None, full: bool) -> Pull:
        """Read what changed since `cursor`, or everything."""

    async def reread(self, external_id: str) -> BoardTicket | None:
        """One record as it is now; None if it is gone."""

    async def reread_many(self, ids: Sequence[str]) -> Mapping[str, BoardTicket | None]:
        """Several records as they are now, each with None if it is gone, in as few requests as the board allows."""
        return {each: await self.reread(each) for each in dict.fromkeys(ids)}

    async def write(self, write: BoardWrite) -> WriteResult:
        """Bring the board to where `write` says, reading its present state first. Idempotent by `write.id`."""

    async def assign(self, unnamed: Unnamed, ticket_id: TicketId) -> bool:
        """Write an id into a record without one; False if the record changed meanwhile (the next pull sees it)."""

    async def create(self, new: NewTicket) -> str:
        """Add a record; its external id. Raises BoardError with a hint where the board cannot.

        The same ticket a second time is the record that is there.
        """

    async def edit(self, external_id: str, edit: Edit) -> None:
        """Change a record's own text."""

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Check a webhook's signature over its raw body, and its age; header names are in lower case.

        What it says is never data: it only wakes a pull. Raises BoardAuth where it is not the board's, or not fresh,
        and where no webhook is configured.
        """

    def changes(self) -> AsyncIterator[None]:
        """One item each time the board may have changed, coalesced; ends never. May yield nothing for ever."""

    async def aclose(self) -> None:
        """Close its connections. Idempotent."""


# --- the rest ---------------------------------------------------------------------------------------


@frozen
class Workspace:
    """A ticket's worktree, ready for an agent."""

    path: str
    branch: str | None
    base: str | None
    created: bool
    """Whether this call made it."""


@frozen
class WorkStatus:
    """What a worktree holds beyond its base."""

    commits: int
    dirty: bool
    """Changed or untracked files that no commit holds."""
    merged: bool
    exists: bool = True


@frozen
class Exported:
    """Where a removed worktree's unmerged work was put."""

    path: str | None
    """None when nothing needed exporting."""


class Workspaces(Protocol):
    """Git worktrees, one per ticket. Raises WorkspaceError."""

    async def prepare(self, project: str, ticket_id: TicketId) -> Workspace:
        """Make the ticket's worktree and branch, copy and set up; or find what an earlier call finished."""

    async def status(self, workspace: Workspace) -> WorkStatus:
        """What it holds."""

    async def fingerprints(self, workspace: Workspace, globs: Sequence[str]) -> dict[str, str]:
        """A fingerprint for each file inside the worktree that a glob matches; links out of it do not count."""

    async def diff(self, workspace: Workspace) -> str:
        """A patch of everything since the base, untracked files included, leaving the agent's index untouched."""

    async def artifacts(self, workspace: Workspace, globs: Sequence[str]) -> tuple[Artifact, ...]:
        """The files inside the worktree that a glob matches, with type by content and size; an HTML or text file that
        holds nothing but an http or https address stands for that page."""

    async def read(self, workspace: Workspace, name: str, limit: int) -> bytes:
        """A file's content. Raises WorkspaceError if it is larger than `limit` bytes, no plain file, or not inside."""

    async def stat(self, workspace: Workspace) -> str:
        """A diff stat of everything since the base, untracked files included, at most 200 lines."""

    async def clean(self, project: str, ticket_id: TicketId, workspace: Workspace) -> Exported:
        """Remove worktree and branch; what is not merged is exported first."""


@frozen
class PullRequest:
    """A branch that was offered for merging."""

    url: str
    number: int


class PullState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"
    """Without merging."""


class PullRequests(Protocol):
    """Offers a ticket's branch for merging. Raises PullRequestError."""

    async def open(self, project: str, workspace: Workspace, title: str, body: str) -> PullRequest | None:
        """Push the branch and open a pull request for it, or find the one that is open; None where the project has
        none configured. Idempotent."""

    async def state(self, project: str, pull: PullRequest) -> PullState:
        """What has become of it."""


class Prompts(Protocol):
    """Prompt templates. Raises Invalid where a template cannot be rendered."""

    def render(self, step: Step, ticket: Ticket, body: str, attempt: int, reason: str) -> str:
        """A step's prompt for a ticket; the ticket's text is fenced data in it."""
