"""The fleet actor: it takes orders to launch and end agents, and runs each agent in a task of its own."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import assert_never

import structlog
import trio
from attrs import evolve, frozen

from supervisor.actors.fleet.ledger import EndOrder, LaunchOrder, Ledger, expired, forgotten
from supervisor.actors.fleet.life import OPEN_DEADLINE, Life, World, bounded, workspace_of
from supervisor.actors.kit import Bell, Clock, Inbox, Reply, ask, supervise
from supervisor.actors.session import SessionHandle
from supervisor.actors.store import Store
from supervisor.domain.activity import Entry
from supervisor.domain.agent import OVER, Activity, Agent, Delivery, Planned, Prepared, Retired
from supervisor.domain.config import Config
from supervisor.domain.errors import BackendError, Conflict, NotFound, OperatorError, SessionGone
from supervisor.domain.ids import AgentId, DeliveryId, TicketId
from supervisor.domain.queue import Lane, Load
from supervisor.ports import AgentDriver, Exported, Session

log = structlog.get_logger()

SWEEP_AT_MOST = 600.0
"""Seconds between two looks for kept sessions whose time is over."""


@frozen
class Launch:
    order: LaunchOrder
    reply: Reply[Agent]


@frozen
class Retire:
    agent_id: AgentId
    order: EndOrder
    reply: Reply[None]


Message = Launch | Retire


class Fleet:
    """The handle. Its mappings always show the latest committed records."""

    def __init__(self, store: Store, world: World, config: Config, clock: Clock) -> None:
        self._store = store
        self._world = world
        self._config = config
        self._clock = clock
        self._ledger = Ledger(store, clock)
        self._life = Life(self._ledger, world, config)
        self._wake = Bell()
        self._inbox: Inbox[Message] = Inbox("fleet", 64, self._wake)
        self._running: set[AgentId] = set()
        self.strangers: tuple[str, ...] = ()
        """Sessions of this state directory that no agent is known for. They are never touched."""

    # --- the handle -------------------------------------------------------------------------------

    @property
    def agents(self) -> Mapping[AgentId, Agent]:
        return MappingProxyType(self._ledger.agents)

    @property
    def activities(self) -> Mapping[AgentId, Activity]:
        return MappingProxyType(self._ledger.activities)

    def on_change(self, ring: Callable[[AgentId], None]) -> None:
        """`ring` is called, without waiting, whenever an agent's record or activity changed."""
        self._ledger.on_change(ring)

    def load(self) -> Load:
        """The slots in use."""
        held = (each for each in self._ledger.agents.values() if not isinstance(each.phase, OVER))
        return Load.of(Lane(each.project, each.driver, each.ticket_type, each.mode == "paired") for each in held)

    def driver(self, agent: Agent) -> AgentDriver | None:
        """What knows its CLI; None if it left the configuration."""
        return self._world.drivers.get(agent.driver)

    def is_ending(self, agent_id: AgentId) -> bool:
        """Whether the order to end an agent was given."""
        return agent_id in self._ledger.ending

    def session(self, agent_id: AgentId) -> SessionHandle:
        """The agent's session. Raises NotFound for an unknown agent, SessionGone when it has none (any more)."""
        self.agent(agent_id)
        handle = self._ledger.handles.get(agent_id)
        if handle is None:
            raise SessionGone(f"agent {agent_id} has no session")
        return handle

    def delivery(self, agent_id: AgentId, delivery_id: DeliveryId) -> Delivery | None:
        """What became of a text for the agent; None while its session does not know of it."""
        handle = self._ledger.handles.get(agent_id)
        watch = handle.deliveries.get(delivery_id) if handle is not None else None
        return watch.value if watch is not None else None

    def agent(self, agent_id: AgentId) -> Agent:
        found = self._ledger.agents.get(agent_id)
        if found is None:
            raise NotFound(f"there is no agent {agent_id}", hint="`operator agent list` shows all")
        return found

    def resolve(self, ref: str) -> AgentId:
        """An agent by its own id, or by its ticket's (then the newest one)."""
        if AgentId(ref) in self._ledger.agents:
            return AgentId(ref)
        of_ticket = [each for each in self._ledger.agents.values() if each.ticket_id == ref]
        if not of_ticket:
            raise NotFound(f"there is no agent {ref}", hint="`operator agent list` shows all")
        return max(of_ticket, key=lambda each: each.started_at).id

    async def settled(self, agent_id: AgentId) -> Agent:
        """Wait until a launch has succeeded or failed. The caller sets the deadline."""
        self.agent(agent_id)
        await self._ledger.phases[agent_id].until(lambda phase: not isinstance(phase, Planned | Prepared))
        return self.agent(agent_id)

    async def diff(self, agent_id: AgentId) -> str:
        """A patch of what the agent's worktree holds beyond its base."""
        return await self._world.workspaces.diff(workspace_of(self.agent(agent_id)))

    async def artifact(self, agent_id: AgentId, name: str, limit: int) -> bytes:
        """A file of the agent's worktree, which may outlive what is remembered of the agent.

        Raises NotFound, or WorkspaceError as `Workspaces.read` does.
        """
        agent = await self._store.get(Agent, agent_id) or self.agent(agent_id)
        return await self._world.workspaces.read(workspace_of(agent), name, limit)

    async def clean(self, ticket_id: TicketId) -> Exported:
        """Remove the worktree that a ticket's agents worked in; unmerged work is exported first."""
        worked = [each for each in self._ledger.agents.values() if each.ticket_id == ticket_id]
        if not worked:
            worked = await self._store.load(Agent, ticket_id=ticket_id)
        placed = [each for each in worked if each.worktree_path is not None]
        if not placed:
            return Exported(None)
        if any(not isinstance(each.phase, OVER) for each in placed):
            raise Conflict(f"an agent of {ticket_id} is still ending", hint="try again in a few seconds")
        newest = max(placed, key=lambda each: each.started_at)
        return await self._world.workspaces.clean(newest.project, ticket_id, workspace_of(newest))

    async def launch(self, order: LaunchOrder) -> Agent:
        """Store the intent to launch; the launch itself follows. The same agent id launches once."""
        return await ask(self._inbox, lambda reply: Launch(order, reply))

    async def retire(self, agent_id: AgentId, reason: str, *, politely: bool) -> None:
        """Begin to end an agent; its slot is free when its process is gone."""
        await ask(self._inbox, lambda reply: Retire(agent_id, EndOrder(reason, politely), reply))

    async def alive(self) -> None:
        """Return once the actor has come round its loop: never, if it is stuck."""
        await self._wake.heard()

    # --- the actor --------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Adopt what runs, then serve. `started` once every live session has its task again."""
        await self._adopt()
        async with trio.open_nursery() as nursery:
            for agent in list(self._ledger.agents.values()):
                if not isinstance(agent.phase, OVER):
                    self._start(nursery, agent.id)
            task_status.started()
            nursery.start_soon(self._sweep)
            self._wake.ring()
            while True:
                await self._wake.wait()
                while (message := self._inbox.get_nowait()) is not None:
                    with message.reply.answering():
                        await self._serve(message, nursery)

    def drain(self) -> None:
        self._inbox.drain(lambda message, error: message.reply.fail(error))

    async def _serve(self, message: Message, nursery: trio.Nursery) -> None:
        match message:
            case Launch(order=order, reply=reply):
                known = self._ledger.agents.get(order.agent_id)
                if known is None:
                    known = self._ledger.plan(order, next(iter(self._world.backends)))
                    await self._ledger.advance(
                        known, known.phase, "agent.planned", attempt=order.attempt, driver=known.driver
                    )
                    self._start(nursery, known.id)
                reply.give(known)
            case Retire(agent_id=agent_id, order=order, reply=reply):
                agent = self._ledger.agents.get(agent_id)
                if agent is not None and not isinstance(agent.phase, OVER):
                    self._ledger.ending[agent_id] = order
                    nursery.start_soon(self._life.end, agent_id)
                reply.give(None)
            case never:
                assert_never(never)

    # --- adoption ---------------------------------------------------------------------------------

    async def _adopt(self) -> None:
        """Match live sessions to agents. If they cannot be listed, this raises and nothing is launched."""
        found = await self._list_sessions()
        for agent in await self._store.load(Agent):
            if agent.id in found or not forgotten(agent):
                self._ledger.remember(agent)
        for activity in await self._store.load(Activity):
            if activity.agent_id in self._ledger.agents:
                self._ledger.published(activity, news=False)
        self._ledger.sessions = found
        self.strangers = tuple(sorted(set(found) - set(self._ledger.agents)))
        for agent in self._ledger.agents.values():
            session = found.get(agent.id)
            if session is not None and isinstance(agent.phase, OVER):
                handle = self._ledger.handles[agent.id] = SessionHandle(session, Inbox(f"session {agent.id}"), {})
                handle.close("has ended")

    async def _list_sessions(self) -> dict[AgentId, Session]:
        found: dict[AgentId, Session] = {}
        for backend in self._world.backends.values():
            with trio.move_on_after(OPEN_DEADLINE) as scope:
                found |= {session.agent_id: session for session in await backend.sessions()}
            if scope.cancelled_caught:
                raise BackendError(f"{backend.name} did not list its sessions within {OPEN_DEADLINE:g} s")
        return found

    def _start(self, nursery: trio.Nursery, agent_id: AgentId) -> None:
        if agent_id not in self._running:
            self._running.add(agent_id)
            nursery.start_soon(self._fenced, agent_id)

    async def _fenced(self, agent_id: AgentId) -> None:
        """One agent's life; when it keeps crashing, that agent is given up and its ticket parked, nobody else's."""
        try:
            await supervise(
                f"agent {agent_id}", lambda: self._life.live(agent_id), permanent=False, crashed=self._crashed
            )
        except Exception as error:
            await self._life.give_up(agent_id, error)
        finally:
            self._running.discard(agent_id)
            self._ledger.ending.pop(agent_id, None)

    async def _crashed(self, name: str, error: Exception) -> None:
        entry = Entry("actor.crashed", self._clock(), data={"actor": name, "error": repr(error)[:500]})
        await self._store.commit(entries=[entry], durable=False)

    # --- keeping and forgetting ---------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Close the kept sessions of agents that ended long ago."""
        while True:
            now = self._clock()
            for agent in list(self._ledger.agents.values()):
                if expired(agent, now):
                    await self._forget(agent)
            await trio.sleep(min(SWEEP_AT_MOST, max(1.0, self._config.sessions.keep_sessions / 10)))

    async def _forget(self, agent: Agent) -> None:
        try:
            session = self._ledger.sessions.get(agent.id)
            if session is not None:
                await bounded(session.close(), "close the session")
            if (backend := self._world.backends.get(agent.backend)) is not None:  # else nothing of it can be there
                await bounded(backend.forget(agent.id), "forget the session")
        except OperatorError as error:
            log.warning("session not removed", agent=agent.id, code=error.code, reason=error.message)
            return
        if isinstance(agent.phase, Retired):
            await self._ledger.advance(agent, evolve(agent.phase, keep_until=None), "agent.forgotten")
        self._ledger.forget(agent.id)
