"""Fleet's records: agents, what is known of each, and who is told when that changes."""

from collections.abc import Callable
from datetime import datetime

from attrs import evolve, frozen

from supervisor.actors.kit import Clock, Watch
from supervisor.actors.session import SessionHandle
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry, Value
from supervisor.domain.agent import Activity, Agent, LaunchPhase, Planned, Retired
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.queue import Lane
from supervisor.ports import Session


@frozen
class LaunchOrder:
    """The queue's decision to put an agent on a ticket."""

    agent_id: AgentId
    ticket_id: TicketId
    title: str
    lane: Lane
    attempt: int
    collection: str | None = None
    external_id: str | None = None
    permission_mode: str | None = None
    """The mode that the agent's first step asks for."""


@frozen
class EndOrder:
    """The queue's decision to end an agent."""

    reason: str
    politely: bool


class Ledger:
    """What fleet and the lives in it share. Records change here only after they were committed."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.agents: dict[AgentId, Agent] = {}
        self.activities: dict[AgentId, Activity] = {}
        self.handles: dict[AgentId, SessionHandle] = {}
        self.sessions: dict[AgentId, Session] = {}
        self.phases: dict[AgentId, Watch[LaunchPhase]] = {}
        self.ending: dict[AgentId, EndOrder] = {}
        self._listeners: list[Callable[[AgentId], None]] = []

    def on_change(self, ring: Callable[[AgentId], None]) -> None:
        self._listeners.append(ring)

    def ring(self, agent_id: AgentId) -> None:
        for ring in self._listeners:
            ring(agent_id)

    def remember(self, agent: Agent) -> None:
        """Show a committed record."""
        self.agents[agent.id] = self._in_conversation(agent)
        self.phases.setdefault(agent.id, Watch(agent.phase)).set(agent.phase)

    def published(self, activity: Activity, news: bool) -> None:
        """Show an agent's newest activity. Only `news` rings: a busy agent's title changes ten times a second."""
        self.activities[activity.agent_id] = activity
        agent = self.agents.get(activity.agent_id)
        if agent is not None:
            self.agents[agent.id] = self._in_conversation(agent)
        if news:
            self.ring(activity.agent_id)

    async def advance(self, agent: Agent, phase: LaunchPhase, kind: str, **data: Value) -> Agent:
        """Commit the agent's next phase, with the entry that tells it."""
        moved = evolve(agent, phase=phase)
        await self.store.commit(moved, entries=[self.entry(kind, moved, **data)])
        self.remember(moved)
        self.ring(moved.id)
        return moved

    async def opened(self, agent: Agent, activity: Activity) -> None:
        """Commit that an agent's session exists, together with the first that is known of its activity."""
        entry = self.entry("agent.starting", agent, session=agent.session_id)
        await self.store.commit(agent, activity, entries=[entry])
        self.activities[agent.id] = activity
        self.remember(agent)
        self.ring(agent.id)

    def entry(self, kind: str, agent: Agent, **data: Value) -> Entry:
        return Entry(kind, self.clock(), agent.ticket_id, agent.id, data)

    def _in_conversation(self, agent: Agent) -> Agent:
        """With the conversation that it said it is in, where its CLI chooses that itself."""
        activity = self.activities.get(agent.id)
        told = activity.conversation_id if activity is not None else None
        return agent if told in (None, agent.conversation_id) else evolve(agent, conversation_id=told)

    def last_conversation(self, agent: Agent) -> str | None:
        """The conversation in which the ticket's last agent of the same driver worked."""
        earlier = (
            each
            for each in self.agents.values()
            if (each.ticket_id, each.driver) == (agent.ticket_id, agent.driver) and each.conversation_id is not None
        )
        newest = max(earlier, default=None, key=lambda each: each.started_at)
        return newest.conversation_id if newest is not None else None

    def plan(self, order: LaunchOrder, backend: str) -> Agent:
        """The intent to launch, as a record."""
        return Agent(
            id=order.agent_id,
            ticket_id=order.ticket_id,
            ticket_type=order.lane.type,
            title=order.title,
            project=order.lane.project,
            driver=order.lane.driver,
            backend=backend,
            started_at=self.clock(),
            phase=Planned(),
            attempt=order.attempt,
            mode="paired" if order.lane.paired else "autonomous",
            collection=order.collection,
            external_id=order.external_id,
            permission_mode=order.permission_mode,
        )

    def forget(self, agent_id: AgentId) -> None:
        """Drop what memory holds of an agent that ended long ago; the store keeps its record."""
        self.agents.pop(agent_id, None)
        self.activities.pop(agent_id, None)
        self.handles.pop(agent_id, None)
        self.sessions.pop(agent_id, None)
        self.phases.pop(agent_id, None)


def expired(agent: Agent, now: datetime) -> bool:
    """Whether an ended agent's screen and transcript need not be kept any longer."""
    return isinstance(agent.phase, Retired) and agent.phase.keep_until is not None and agent.phase.keep_until <= now


def forgotten(agent: Agent) -> bool:
    """Whether nothing of an ended agent's session is left to show."""
    return isinstance(agent.phase, Retired) and agent.phase.keep_until is None
