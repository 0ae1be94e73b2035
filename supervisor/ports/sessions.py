"""Terminals that outlive the daemon."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import trio
from attrs import field, frozen

from supervisor.domain.agent import ExitStatus
from supervisor.domain.ids import AgentId, DeliveryId


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
