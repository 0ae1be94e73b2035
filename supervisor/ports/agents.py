"""Agent CLIs."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from supervisor.domain.agent import Meaning
from supervisor.domain.hooks import HookEvent, TurnEnd
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.review import Decision, Question, Request
from supervisor.domain.signals import Rules


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
