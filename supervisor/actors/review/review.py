"""Step progress: when a turn ends, is the step done, is it nudged, or does a person have to look?

The review actor alone writes `Progress`. What needs a look at a worktree runs in a task per agent, so that a
slow disk keeps only its own agent waiting; per agent there is one such task at a time.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

import structlog
import trio
from attrs import evolve

from supervisor.actors.fleet import Fleet, workspace_of
from supervisor.actors.kit import Bell, Clock
from supervisor.actors.store import Store
from supervisor.domain import steps
from supervisor.domain.activity import Entry, Value
from supervisor.domain.agent import GONE, Agent, Delivery, Lost, Opened, Retired
from supervisor.domain.errors import Conflict, Invalid, OperatorError, SessionGone, WorkspaceError
from supervisor.domain.ids import AgentId
from supervisor.domain.issue_type import BUILT_IN, IssueType, Step
from supervisor.domain.steps import NeedsCheck, Progress, Wait
from supervisor.domain.ticket import Body, Ticket
from supervisor.ports import Prompts, Workspaces

log = structlog.get_logger()

LOOK_DEADLINE = 60.0
AGAIN_AFTER = 1.0
"""Seconds until an agent whose step could not be moved on is looked at again."""


class Review:
    """The handle, and the actor behind it."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        prompts: Prompts,
        workspaces: Workspaces,
        types: Mapping[str, IssueType],
        clock: Clock,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._prompts = prompts
        self._workspaces = workspaces
        self._types = types
        self._clock = clock
        self._wake = Bell()
        self._dirty: set[AgentId] = set()
        self._busy: set[AgentId] = set()
        self._resting: set[AgentId] = set()
        self._trying_again: set[AgentId] = set()
        self._progress: dict[AgentId, Progress] = {}
        self._bells: list[Bell] = []
        fleet.on_change(self._rung)

    @property
    def progress(self) -> Mapping[AgentId, Progress]:
        """How far each agent has come; the latest committed records."""
        return MappingProxyType(self._progress)

    def on_change(self, bell: Bell) -> None:
        """`bell` is rung whenever an agent's progress, record or activity changed."""
        self._bells.append(bell)

    async def alive(self) -> None:
        """Return once the actor has come round its loop: never, if it is stuck."""
        await self._wake.heard()

    def _rung(self, agent_id: AgentId) -> None:
        self._dirty.add(agent_id)
        self._wake.ring()
        for bell in self._bells:
            bell.ring()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._progress = {each.agent_id: each for each in await self._store.load(Progress)}
        self._busy.clear()
        self._dirty |= set(self._fleet.agents)
        self._wake.ring()
        task_status.started()
        async with trio.open_nursery() as nursery:
            while True:
                await self._wake.wait()
                for agent_id in self._dirty - self._busy:
                    self._dirty.discard(agent_id)
                    if self._is_of_interest(agent_id):
                        self._busy.add(agent_id)
                        nursery.start_soon(self._advance, agent_id)

    def _is_of_interest(self, agent_id: AgentId) -> bool:
        agent, progress = self._fleet.agents.get(agent_id), self._progress.get(agent_id)
        if agent is None or (progress is not None and isinstance(progress.phase, steps.OVER)):
            return False
        if isinstance(agent.phase, Retired) and progress is not None:
            # Of one that was given up while it lived, nothing more will be seen.
            return isinstance(self._fleet.activities[agent_id].state, GONE)
        return isinstance(agent.phase, Opened)

    # --- one agent's step -------------------------------------------------------------------------

    async def _advance(self, agent_id: AgentId) -> None:
        """Move one agent's step on as far as it goes now."""
        again = False
        try:
            with trio.move_on_after(LOOK_DEADLINE) as scope:
                while await self._one_move(self._fleet.agents[agent_id]):
                    pass
            again = scope.cancelled_caught
        except OperatorError as error:
            log.warning("step not moved on", agent=agent_id, code=error.code, reason=error.message)
            again = not await self._given_up(agent_id, error)
        finally:
            self._busy.discard(agent_id)
        await self._rest(agent_id)
        if again:
            await self._try_again(agent_id)
        if agent_id in self._dirty:
            self._wake.ring()

    async def _try_again(self, agent_id: AgentId) -> None:
        """The world did not answer, and nothing will ring when it does: look again soon, from one task however
        often others ring meanwhile."""
        if agent_id in self._trying_again:
            return
        self._trying_again.add(agent_id)
        try:
            await trio.sleep(AGAIN_AFTER)
        finally:
            self._trying_again.discard(agent_id)
        self._dirty.add(agent_id)

    async def _rest(self, agent_id: AgentId) -> None:
        """Look again when an agent's rest after an error is over; one task waits for that."""
        progress = self._progress.get(agent_id)
        if progress is None or not isinstance(progress.phase, steps.Resting) or agent_id in self._resting:
            return
        self._resting.add(agent_id)
        try:
            await trio.sleep(max(0.0, (progress.phase.until - self._clock()).total_seconds()))
        finally:
            self._resting.discard(agent_id)
        self._dirty.add(agent_id)

    async def _given_up(self, agent_id: AgentId, error: OperatorError) -> bool:
        """A gone agent whose work cannot be looked at is judged without it: its ticket waits for a word on it."""
        state, progress = self._fleet.activities[agent_id].state, self._progress.get(agent_id)
        if not isinstance(state, GONE) or not isinstance(error, WorkspaceError | SessionGone) or progress is None:
            return False
        now, why = self._clock(), f"what it left could not be looked at: {error.message}"
        over = steps.Vanished(now, state.reason) if isinstance(state, Lost) else steps.Broke(now, why)
        agent = self._fleet.agents[agent_id]
        await self._put(agent, evolve(progress, phase=over), "step.broke", reason=over.reason)
        return True

    def _kind(self, agent: Agent) -> IssueType:
        """The agent's issue type; one that left the configuration meanwhile is worked on as a TASK."""
        return self._types.get(agent.ticket_type) or BUILT_IN["TASK"]

    async def _one_move(self, agent: Agent) -> bool:
        progress = self._progress.get(agent.id)
        kind = self._kind(agent)
        if progress is None:
            begun = steps.begin(Progress(agent.ticket_id, agent.id, steps.Working(steps.NOTHING)), 0)
            await self._put(agent, begun, "step.started", step=kind.steps[0].name)
            return True
        if progress.step >= len(kind.steps):
            progress = evolve(progress, step=len(kind.steps) - 1)
        if isinstance(progress.phase, steps.Prompting):
            try:
                progress = await self._prompt(agent, progress, kind.steps[progress.step])
            except (Invalid, Conflict) as error:
                turns = self._fleet.activities[agent.id].turns_ended
                stuck = evolve(
                    progress, phase=steps.WithPerson(f"its prompt cannot be sent: {error.message}", turns, False)
                )
                await self._moved(agent, progress, stuck, kind)
                return True
        return await self._observe(agent, progress, kind)

    async def _observe(self, agent: Agent, progress: Progress, kind: IssueType) -> bool:
        activity = self._fleet.activities[agent.id]
        delivery = self._delivery(agent.id, progress)
        seen = steps.observe(progress, activity, delivery, kind.mode, self._clock())
        match seen:
            case Wait():
                return False
            case Progress():
                await self._moved(agent, progress, seen, kind)
                return True
            case NeedsCheck():
                checked = await self._check(agent, progress, kind.steps[progress.step])
                judged = steps.judge(progress, activity, checked, kind.steps, self._clock())
                await self._moved(agent, progress, judged, kind)
                return True
            case never:
                assert_never(never)

    def _delivery(self, agent_id: AgentId, progress: Progress) -> Delivery | None:
        match progress.phase:
            case steps.Prompting(delivery_id=delivery_id) | steps.Working(delivery_id=delivery_id):
                return self._fleet.delivery(agent_id, delivery_id)
            case _:
                return None

    async def _prompt(self, agent: Agent, progress: Progress, step: Step) -> Progress:
        """Render the step's prompt once, store it, and have it delivered; the same id delivers once."""
        assert isinstance(progress.phase, steps.Prompting)
        if not progress.phase.text:
            baseline: dict[str, str] = {}
            if step.artifacts:
                baseline = await self._workspaces.fingerprints(workspace_of(agent), step.artifacts)
            text = await self._render(agent, step)
            phase = evolve(progress.phase, text=text)
            progress = evolve(progress, phase=phase, baseline=baseline)
            await self._put(agent, progress, None)
        assert isinstance(progress.phase, steps.Prompting)
        if not isinstance(self._fleet.activities[agent.id].state, GONE):
            phase = progress.phase
            await self._fleet.session(agent.id).deliver(phase.delivery_id, phase.text, phase.origin)
        return progress

    async def _render(self, agent: Agent, step: Step) -> str:
        ticket = await self._store.get(Ticket, agent.ticket_id)
        body = await self._store.get(Body, agent.ticket_id)
        if ticket is None:
            raise Invalid(f"the record of ticket {agent.ticket_id} is gone")
        return self._prompts.render(step, ticket, body.text if body else "", agent.attempt, "")

    async def _check(self, agent: Agent, progress: Progress, step: Step) -> steps.Checked:
        if not step.artifacts:
            return steps.Checked(())
        missing = []
        for pattern in step.artifacts:
            found = await self._workspaces.fingerprints(workspace_of(agent), (pattern,))
            if not any(progress.baseline.get(path) != mark for path, mark in found.items()):
                missing.append(pattern)
        return steps.Checked(tuple(missing))

    async def _moved(self, agent: Agent, before: Progress, after: Progress, kind: IssueType) -> None:
        name = kind.steps[before.step].name
        match after.phase:
            case steps.StepsDone(at=at):
                status = await self._workspaces.status(workspace_of(agent))
                unchanged = status.commits == 0 and not status.dirty
                done = evolve(after, phase=steps.StepsDone(at, no_changes=unchanged, dirty=status.dirty))
                await self._put(agent, done, "step.done", step=name, commits=status.commits, dirty=status.dirty)
            case steps.WithPerson(why=why):
                await self._put(agent, after, "agent.needs_you", step=name, why=why)
            case steps.Broke(reason=reason) | steps.Vanished(reason=reason):
                await self._put(agent, after, "step.broke", step=name, reason=reason)
            case steps.Prompting(origin="nudge"):
                await self._put(agent, after, "step.nudged", step=name, nudge=after.nudges)
            case steps.Prompting():
                await self._put(agent, after, "step.started", step=kind.steps[after.step].name)
            case steps.Resting(until=until, why=why):
                await self._put(agent, after, "step.resting", step=name, why=why, until=until.isoformat())
            case steps.Limited(reason=reason, until=until):
                await self._put(agent, after, "agent.limited", step=name, reason=reason, until=until.isoformat())
            case steps.Working():
                await self._put(agent, after, None)
            case never:
                assert_never(never)

    async def _put(self, agent: Agent, progress: Progress, kind: str | None, **data: Value) -> None:
        entries = [Entry(kind, self._clock(), agent.ticket_id, agent.id, data)] if kind is not None else []
        await self._store.commit(progress, entries=entries)
        self._progress[agent.id] = progress
        for bell in self._bells:
            bell.ring()
