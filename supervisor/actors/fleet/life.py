"""One agent's life: from the intent to launch it, over its session, to its end.

Each step finds what an interrupted one left: a worktree that is there, a session that carries the agent's id.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import structlog
import trio
from attrs import evolve, field, frozen

from supervisor.actors.fleet.ledger import Ledger
from supervisor.actors.session import SessionActor
from supervisor.domain.agent import (
    GONE,
    OVER,
    Activity,
    Agent,
    LaunchFailed,
    Lost,
    Opened,
    Planned,
    Prepared,
    Proof,
    Retired,
    Source,
    Starting,
)
from supervisor.domain.config import Config
from supervisor.domain.errors import (
    BackendError,
    DriverError,
    OperatorError,
    SessionGone,
    TooSlow,
    WorkspaceError,
)
from supervisor.domain.ids import AgentId
from supervisor.ports import (
    AgentDriver,
    LaunchRequest,
    MissedHooks,
    Session,
    SessionBackend,
    SessionSpec,
    Workspace,
    Workspaces,
)

log = structlog.get_logger()
T = TypeVar("T")

OPEN_DEADLINE = 20.0
REREAD_DEADLINE = 5.0
SETUP_SLACK = 120.0


class Reread(Protocol):
    """Looks a ticket up at its board right before a launch: whether it is still open there."""

    async def __call__(self, collection: str, external_id: str) -> bool: ...


@frozen
class Hooks:
    """Where agents' CLIs post their hooks, and with which token."""

    url: Callable[[AgentId], str]
    token: Callable[[AgentId], str]


@frozen
class World:
    """What a launch needs from the outside."""

    backends: Mapping[str, SessionBackend]
    drivers: Mapping[str, AgentDriver]
    workspaces: Workspaces
    reread: Reread
    hooks: Hooks
    private: Path
    """A folder with one of its own for each agent."""
    environment: Mapping[str, str] = field(repr=False)
    """What agents inherit, already without secrets of ours."""
    missed: MissedHooks | None = None
    """None: no CLI keeps the hooks that nobody hears."""


class Life:
    """What fleet does for one agent at a time; it holds nothing of its own."""

    def __init__(self, ledger: Ledger, world: World, config: Config) -> None:
        self._ledger = ledger
        self._world = world
        self._config = config

    async def live(self, agent_id: AgentId) -> None:
        agent = self._ledger.agents[agent_id]
        try:
            agent, session = await self._bring_up(agent)
        except (WorkspaceError, DriverError, BackendError, SessionGone, TooSlow) as error:
            log.warning("launch failed", agent=agent_id, code=error.code, reason=error.message)
            failed = LaunchFailed(self._ledger.clock(), error.code, error.message, error.hint)
            await self._ledger.advance(
                self._ledger.agents[agent_id], failed, "agent.launch_failed", reason=error.message
            )
            return
        if isinstance(agent.phase, OVER):
            return
        if session is None:
            await self._lost(agent)
        else:
            await self._attend(agent, session)
        reason = self._ledger.ending[agent_id].reason if agent_id in self._ledger.ending else "its process ended"
        await self.retired(self._ledger.agents[agent_id], reason)

    async def _bring_up(self, agent: Agent) -> tuple[Agent, Session | None]:
        """Take the launch from wherever it stands to an open session. None: it had one, and it is gone."""
        if isinstance(agent.phase, Planned):
            agent = await self._prepare(agent)
        if isinstance(agent.phase, Prepared):
            if agent.id in self._ledger.ending:
                stopped = LaunchFailed(self._ledger.clock(), "stopped", self._ledger.ending[agent.id].reason)
                return await self._ledger.advance(agent, stopped, "agent.launch_failed", reason=stopped.reason), None
            return await self._open(agent)
        return agent, self._ledger.sessions.get(agent.id)

    async def _prepare(self, agent: Agent) -> Agent:
        note = await self._still_open(agent)
        if note is None:
            closed = LaunchFailed(
                self._ledger.clock(), "closed_on_board", "it was closed on its board before the launch"
            )
            return await self._ledger.advance(agent, closed, "agent.launch_failed", reason=closed.reason)
        limit = self._config.projects[agent.project].setup_timeout + 120.0
        with trio.move_on_after(limit):
            made = await self._world.workspaces.prepare(agent.project, agent.ticket_id)
            ready = evolve(
                agent,
                worktree_path=made.path,
                worktree_created=made.created,
                branch=made.branch,
                base=made.base,
                board_note=note,
            )
            return await self._ledger.advance(ready, Prepared(), "agent.prepared", worktree=made.path, board_note=note)
        raise WorkspaceError(f"the worktree was not ready within {limit:g} s")

    async def _still_open(self, agent: Agent) -> str | None:
        """Ask the board once more. None: closed there. A text: launch, and say this."""
        if agent.collection is None or agent.external_id is None:
            return ""
        with trio.move_on_after(REREAD_DEADLINE):  # noqa: ASYNC912  (every path awaits the board)
            try:
                return "" if await self._world.reread(agent.collection, agent.external_id) else None
            except OperatorError as error:
                return f"the board could not be asked: {error.message}"
        return f"the board did not answer within {REREAD_DEADLINE:g} s"

    async def _open(self, agent: Agent) -> tuple[Agent, Session]:
        driver = self._driver(agent)
        assert agent.worktree_path is not None
        plan = driver.plan(
            LaunchRequest(
                agent_id=agent.id,
                ticket_id=agent.ticket_id,
                cwd=agent.worktree_path,
                environment=self._world.environment,
                private_dir=self._world.private / agent.id,
                hook_url=self._world.hooks.url(agent.id),
                hook_token=self._world.hooks.token(agent.id),
                launch=f"{agent.id} {agent.started_at.isoformat()}",
                conversation_id=self._ledger.last_conversation(agent),
                permission_mode=agent.permission_mode,
            )
        )
        sessions = self._config.sessions
        spec = SessionSpec(
            agent.id, plan.argv, agent.worktree_path, plan.env, sessions.columns, sessions.rows, agent.ticket_id
        )
        backend = self._world.backends.get(agent.backend)
        if backend is None:
            raise BackendError(f"there is no terminal backend {agent.backend} any more", hint="start a new attempt")
        session = await bounded(backend.open(spec), "open the session")
        self._ledger.sessions[agent.id] = session
        activity = self._ledger.activities.get(agent.id) or Activity(
            agent.id, Starting(Proof(self._ledger.clock(), Source.LAUNCH, "its process was started"))
        )
        opened = evolve(
            agent,
            session_id=session.session_id,
            phase=Opened(session.pid),
            conversation_id=plan.conversation_id,
        )
        await self._ledger.opened(opened, activity)
        return opened, session

    async def _attend(self, agent: Agent, session: Session) -> None:
        actor = SessionActor(
            agent,
            session,
            self._driver(agent),
            self._ledger.store,
            self._ledger.clock,
            self._ledger.published,
            self._world.missed,
        )
        self._ledger.handles[agent.id] = actor.handle
        self._ledger.ring(agent.id)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.end, agent.id)
                await actor.run(self._ledger.activities[agent.id])
                nursery.cancel_scope.cancel(reason="the agent is gone")
        finally:
            actor.drain()

    async def end(self, agent_id: AgentId) -> None:
        """Pass on the order to end the agent, if there is one. One without a session yet finds it before it opens."""
        handle, order = self._ledger.handles.get(agent_id), self._ledger.ending.get(agent_id)
        if handle is None or order is None:
            return
        try:
            await handle.end(order.reason, politely=order.politely)
        except OperatorError as error:
            log.info("agent not ended", agent=agent_id, code=error.code, reason=error.message)

    def _driver(self, agent: Agent) -> AgentDriver:
        try:
            return self._world.drivers[agent.driver]
        except KeyError:
            raise DriverError(f"there is no driver {agent.driver} any more", hint="add it to operator.toml") from None

    async def _lost(self, agent: Agent) -> None:
        activity = self._ledger.activities[agent.id]
        if isinstance(activity.state, GONE):
            return
        reason = f"its {agent.backend} session is gone: the terminal server or the machine ended meanwhile"
        lost = evolve(activity, state=Lost(Proof(self._ledger.clock(), Source.BACKEND, reason), reason))
        entry = self._ledger.entry("agent.lost", agent, source="backend", evidence=reason)
        await self._ledger.store.commit(lost, entries=[entry])
        self._ledger.published(lost, news=True)

    async def retired(self, agent: Agent, reason: str) -> None:
        now = self._ledger.clock()
        keep = now + timedelta(seconds=self._config.sessions.keep_sessions)
        await self._ledger.advance(agent, Retired(now, reason, keep), "agent.retired", reason=reason)

    async def give_up(self, agent_id: AgentId, error: Exception) -> None:
        session = self._ledger.sessions.get(agent_id)
        if session is not None:
            with trio.move_on_after(OPEN_DEADLINE):
                await session.stop(self._world.drivers[self._ledger.agents[agent_id].driver].stop_grace)
        reason = f"its supervision kept crashing: {error!r}"[:500]
        await self.retired(self._ledger.agents[agent_id], reason)


def workspace_of(agent: Agent) -> Workspace:
    """The worktree an agent works in. Raises SessionGone for one that never got any."""
    if agent.worktree_path is None:
        raise SessionGone(f"agent {agent.id} never got a worktree")
    return Workspace(agent.worktree_path, agent.branch, agent.base, created=False)


async def bounded(call: Awaitable[T], what: str) -> T:
    """A call to the terminal backend, with its deadline."""
    with trio.move_on_after(OPEN_DEADLINE):
        return await call
    raise BackendError(f"could not {what} within {OPEN_DEADLINE:g} s: the terminal backend does not answer")
