"""What others may ask of a session."""

import secrets
from collections.abc import Awaitable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

import trio
from attrs import field, frozen

from supervisor.actors.kit import Inbox, Reply, Watch, ask
from supervisor.domain.agent import Delivery, DeliveryState, ExitStatus
from supervisor.domain.errors import SessionGone, TooSlow
from supervisor.domain.ids import AgentId, DeliveryId
from supervisor.domain.review import Decision, Request
from supervisor.ports import Attach, Replay, Session

T = TypeVar("T")

HOOK_DEADLINE = 4.0
"""Seconds that a hook waits for its answer; the CLI itself waits no longer than 5."""
BACKEND_DEADLINE = 15.0
"""Seconds that a terminal backend has for one call."""


@frozen
class Heard:
    """What came of a hook of the agent's CLI."""

    answer: dict[str, object] = field(factory=dict)
    """What the hook is answered, if it asks nothing."""
    request: Request | None = None
    """What it asks a person: then its answer is their verdict."""
    asked_at: datetime | None = None
    """Since when the agent is `Asking` that."""


@frozen
class Deliver:
    delivery_id: DeliveryId
    text: str
    origin: str
    reply: Reply[Delivery]


@frozen
class Hear:
    """A hook of the agent's CLI."""

    payload: Mapping[str, object]
    reply: Reply[Heard]


@frozen
class Answered:
    """The hook of a request is given its answer."""

    request: Request
    reply: Reply[None]


@frozen
class Look:
    """Look whether the dialog of a request is on the screen."""

    request: Request
    reply: Reply[bool]


@frozen
class Press:
    """Carry out a decision at the dialog of a request."""

    request: Request
    decision: Decision
    reply: Reply[None]


@frozen
class Interrupt:
    reply: Reply[None]


@frozen
class End:
    """End the agent: politely first, if its driver knows how."""

    politely: bool
    reason: str
    reply: Reply[None]


Message = Deliver | Hear | Answered | Look | Press | Interrupt | End


class SessionHandle:
    """What others may do with a session. Works, for reading, also after the agent is gone."""

    def __init__(self, session: Session, inbox: Inbox[Message], deliveries: dict[DeliveryId, Watch[Delivery]]) -> None:
        self._session = session
        self._inbox = inbox
        self._deliveries = deliveries
        self._closed: str | None = None

    @property
    def agent_id(self) -> AgentId:
        return self._session.agent_id

    def close(self, why: str) -> None:
        """The agent is gone: from now on there is nothing to ask of it."""
        self._closed = why

    def _living(self) -> Inbox[Message]:
        if self._closed is not None:
            raise SessionGone(f"agent {self.agent_id} {self._closed}; nothing was typed")
        return self._inbox

    @property
    def session_id(self) -> str:
        return self._session.session_id

    @property
    def deliveries(self) -> Mapping[DeliveryId, Watch[Delivery]]:
        return MappingProxyType(self._deliveries)

    async def deliver(self, delivery_id: DeliveryId, text: str, origin: str) -> Delivery:
        """Store a text for the agent; it is typed as soon as the agent can take it. The same id delivers once."""
        return await ask(self._living(), lambda reply: Deliver(delivery_id, text, origin, reply))

    async def prompt(self, text: str, origin: str = "person", wait: float = 2.0) -> Delivery:
        """Deliver a person's text and wait up to `wait` seconds to learn what became of it, or what it waits for."""
        stored = await self.deliver(DeliveryId(f"{self.agent_id}.{secrets.token_hex(4)}"), text, origin)
        with trio.move_on_after(wait):
            return await self._deliveries[stored.id].until(
                lambda each: each.state is not DeliveryState.PENDING or each.reason != ""
            )
        return self._deliveries[stored.id].value

    async def hear(self, payload: Mapping[str, object]) -> Heard:
        """Pass on a hook of the agent's CLI. What it says is stored, and if it asks, the agent is `Asking`."""
        return await ask(self._living(), lambda reply: Hear(payload, reply), within=HOOK_DEADLINE)

    # --- requests ---------------------------------------------------------------------------------

    async def answered(self, request: Request) -> None:
        """Say that the hook of a request is given its answer: where no dialog shows it, nothing else tells that."""
        await ask(self._living(), lambda reply: Answered(request, reply), within=HOOK_DEADLINE)

    async def shows(self, request: Request) -> bool:
        """Whether the screen certainly shows the dialog of this very request."""
        return await ask(self._living(), lambda reply: Look(request, reply), within=2 * BACKEND_DEADLINE)

    async def press_verdict(self, request: Request, decision: Decision) -> None:
        """Press what carries the decision out at the dialog of this very request; what comes of it is seen in the
        agent's activity. Raises AnswerAtTerminal, with nothing pressed, where that dialog is not certain."""
        await ask(self._living(), lambda reply: Press(request, decision, reply), within=2 * BACKEND_DEADLINE)

    # --- the terminal -----------------------------------------------------------------------------

    async def interrupt(self) -> None:
        """Press the key that stops a turn."""
        await ask(self._living(), Interrupt)

    async def end(self, reason: str, *, politely: bool) -> None:
        """Begin to end the agent; its exit is seen in its activity."""
        await ask(self._living(), lambda reply: End(politely, reason, reply))

    async def screen(self) -> str:
        return await _in_time(self._session.screen())

    async def changed(self, seen: int) -> int:
        """Wait for more news than the `seen` there were, of output, exit, loss or removal; how many there are."""
        return await self._session.changed(seen)

    @property
    def exit(self) -> ExitStatus | None:
        return self._session.exit

    @property
    def gone(self) -> str | None:
        """Why there is nothing to be seen of the terminal any more."""
        return "its session was closed" if self._session.closed else self._session.lost

    async def write(self, data: bytes) -> None:
        """Pass on what a person types, every byte as it is."""
        await _in_time(self._session.write(data))

    async def resize(self, columns: int, rows: int) -> None:
        await _in_time(self._session.resize(columns, rows))

    async def replay(self) -> Replay:
        """What restores the screen elsewhere."""
        return await _in_time(self._session.replay())

    async def transcript(self, offset: int, limit: int) -> tuple[int, bytes]:
        return await self._session.read(offset, limit)

    @property
    def transcript_end(self) -> int:
        return self._session.end

    def attach(self) -> Attach:
        return self._session.attach()


async def _in_time(answer: Awaitable[T]) -> T:
    """What a terminal backend answers. Raises TooSlow."""
    with trio.move_on_after(BACKEND_DEADLINE):
        return await answer
    raise TooSlow(f"the terminal backend did not answer within {BACKEND_DEADLINE:g} s")
