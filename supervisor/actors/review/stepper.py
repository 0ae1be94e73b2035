"""One agent's steps: its prompts, what its turns left, and the reviews that its steps end with."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from attrs import evolve, frozen

from supervisor.actors.fleet import Fleet, workspace_of
from supervisor.actors.review.book import Book
from supervisor.actors.review.gather import Gatherer
from supervisor.domain import phases, steps
from supervisor.domain.activity import Entry
from supervisor.domain.agent import GONE, Agent, Delivery, Lost
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.errors import Conflict, Invalid, OperatorError, SessionGone, WorkspaceError
from supervisor.domain.issue_type import IssueType, Step
from supervisor.domain.phases import Progress
from supervisor.domain.review import Review
from supervisor.domain.steps import NeedsCheck, NeedsReview, Scene, Wait
from supervisor.domain.ticket import Body, Ticket
from supervisor.domain.verdicts import redo_note, taken_up
from supervisor.ports import Prompts, PullRequests, Workspaces


@frozen
class Tools:
    """What steps need from the outside."""

    prompts: Prompts
    workspaces: Workspaces
    pulls: PullRequests


class Stepper:
    """A part of the review actor: one move at a time for one agent."""

    def __init__(self, book: Book, fleet: Fleet, tools: Tools, types: Mapping[str, IssueType]) -> None:
        self._book = book
        self._fleet = fleet
        self._tools = tools
        self._types = types
        self._gatherer = Gatherer(tools.workspaces, tools.pulls)

    def kind(self, agent: Agent) -> IssueType:
        """The agent's issue type; one that left the configuration meanwhile is worked on as a TASK."""
        return self._types.get(agent.ticket_type) or BUILT_IN["TASK"]

    def scene(self, agent: Agent) -> Scene:
        """What the agent's progress is judged by, now."""
        kind, driver, progress = self.kind(agent), self._fleet.driver(agent), self._book.progress.get(agent.id)
        following = progress.step + 1 if progress is not None else 0
        wanted = kind.steps[following].permission_mode if following < len(kind.steps) else None
        return Scene(
            self._fleet.activities[agent.id],
            kind,
            self._book.clock(),
            modes=driver is not None and driver.has_modes,
            after_plan=driver.mode_after_plan(wanted) if driver is not None else None,
        )

    async def one_move(self, agent: Agent) -> bool:
        """Move the agent's step on by one; whether it moved."""
        progress, scene = self._book.progress.get(agent.id), self.scene(agent)
        if progress is None:
            await self._take_up(agent, scene)
            return True
        if progress.step >= len(scene.kind.steps):
            progress = evolve(progress, step=len(scene.kind.steps) - 1)
        if isinstance(progress.phase, phases.Prompting) and not scene.gone:
            try:
                progress = await self._prompt(agent, progress, scene.step(progress))
            except (Invalid, Conflict) as error:
                turns = scene.activity.turns_ended
                stuck = phases.WithPerson(f"its prompt cannot be sent: {error.message}", turns, False)
                await self.moved(agent, progress, evolve(progress, phase=stuck), scene)
                return True
        return await self._observe(agent, progress, self.scene(agent))

    async def _take_up(self, agent: Agent, scene: Scene) -> None:
        ticket = await self._store_ticket(agent)
        begun = taken_up(ticket, agent.id, scene, agent.permission_mode)
        name = scene.kind.steps[begun.step].name
        entry = self._book.entry("step.started", begun, step=name, run=begun.run, why=begun.why)
        await self._book.put(begun, entries=[entry])

    async def _observe(self, agent: Agent, progress: Progress, scene: Scene) -> bool:
        seen = steps.observe(progress, scene, self._delivery(agent, progress))
        match seen:
            case Wait():
                return False
            case Progress():
                await self.moved(agent, progress, seen, scene)
                return True
            case NeedsCheck():
                missing = await self._gatherer.missing(workspace_of(agent), progress, scene.step(progress))
                await self.moved(agent, progress, steps.judge(progress, scene, steps.Checked(missing)), scene)
                return True
            case NeedsReview():
                await self._open_review(agent, progress, scene)
                return True
            case never:
                assert_never(never)

    def _delivery(self, agent: Agent, progress: Progress) -> Delivery | None:
        match progress.phase:
            case phases.Prompting(delivery_id=delivery_id) | phases.Working(delivery_id=delivery_id):
                return self._fleet.delivery(agent.id, delivery_id)
            case _:
                return None

    # --- prompts ----------------------------------------------------------------------------------

    async def _prompt(self, agent: Agent, progress: Progress, step: Step) -> Progress:
        """Render the prompt once, store it, and have it delivered; the same id delivers once."""
        phase = progress.phase
        assert isinstance(phase, phases.Prompting)
        if not phase.measured:
            text = phase.text or await self._render(agent, progress, step)
            baseline: dict[str, str] = {}
            if step.artifacts:
                baseline = await self._tools.workspaces.fingerprints(workspace_of(agent), step.artifacts)
            phase = evolve(phase, text=text, measured=True)
            progress = evolve(progress, phase=phase, baseline=baseline)
            await self._book.put(progress)
        await self._fleet.session(agent.id).deliver(phase.delivery_id, phase.text, phase.origin)
        return progress

    async def _render(self, agent: Agent, progress: Progress, step: Step) -> str:
        ticket = await self._store_ticket(agent)
        body = await self._book.store.get(Body, agent.ticket_id)
        reason = progress.reason
        text = self._tools.prompts.render(step, ticket, body.text if body else "", agent.attempt, reason)
        return text if not reason or reason in text else f"{text}\n\n{redo_note(reason)}"

    async def _store_ticket(self, agent: Agent) -> Ticket:
        ticket = await self._book.store.get(Ticket, agent.ticket_id)
        if ticket is None:
            raise Invalid(f"the record of ticket {agent.ticket_id} is gone")
        return ticket

    # --- reviews ----------------------------------------------------------------------------------

    async def _open_review(self, agent: Agent, progress: Progress, scene: Scene) -> None:
        """Gather what is to be decided, and open the review together with the step's waiting for it."""
        step = scene.step(progress)
        try:
            gathered = await self._gatherer.gather(agent, progress, step)
        except WorkspaceError as error:
            why = f"what it left cannot be reviewed: {error.message}"
            phase = phases.Broke(scene.now, why) if scene.gone else phases.WithPerson(why, scene.activity.turns_ended)
            await self.moved(agent, progress, evolve(progress, phase=phase), scene)
            return
        await self._book.add(
            lambda number: gathered.review(number, agent, progress, step, scene.now),
            lambda number: gathered.waiting(number, progress, scene),
        )

    async def moved(
        self,
        agent: Agent,
        before: Progress,
        after: Progress,
        scene: Scene,
        *also: Review,
        entries: Sequence[Entry] = (),
    ) -> None:
        """Commit a move of the agent's step, with the entries that tell it."""
        if isinstance(before.phase, phases.InReview) and isinstance(after.phase, phases.WithPerson):
            review = self._book.open.get(before.phase.review_id)
            if review is not None:
                over = self._book.superseded(review, steps.AT_TERMINAL)
                also, entries = (*also, over), (*entries, self._book.entry_of(over))
        if isinstance(after.phase, phases.StepsDone):
            status = await self._tools.workspaces.status(workspace_of(agent))
            unchanged = status.commits == 0 and not status.dirty
            after = evolve(after, phase=evolve(after.phase, no_changes=unchanged, dirty=status.dirty))
        told = self._told(before, after, scene.kind)
        await self._book.put(after, *also, entries=[*entries, *([told] if told else [])])

    def _told(self, before: Progress, after: Progress, kind: IssueType) -> Entry | None:
        if after.phase == before.phase:
            return None
        name, entry = kind.steps[min(before.step, len(kind.steps) - 1)].name, self._book.entry
        match after.phase:
            case phases.StepsDone(no_changes=no_changes, dirty=dirty):
                return entry("step.done", after, step=name, no_changes=no_changes, dirty=dirty)
            case phases.WithPerson(why=why):
                return entry("agent.needs_you", after, step=name, why=why)
            case phases.Broke(reason=reason) | phases.Vanished(reason=reason):
                return entry("step.broke", after, step=name, reason=reason)
            case phases.Prompting(origin="nudge"):
                return entry("step.nudged", after, step=name, nudge=after.nudges)
            case phases.Prompting():
                began = kind.steps[after.step].name
                return entry("step.started", after, step=began, run=after.run, why=after.why)
            case phases.Resting(until=until, why=why):
                return entry("step.resting", after, step=name, why=why, until=until.isoformat())
            case phases.Limited(reason=reason, until=until):
                return entry("agent.limited", after, step=name, reason=reason, until=until.isoformat())
            case phases.HandedOver(why=why, resume=resume):
                return entry("step.handed_over", after, step=kind.steps[resume.step].name, why=why)
            case phases.Due() | phases.InReview() | phases.Shelved() | phases.Working():
                return None
            case never:
                assert_never(never)

    async def given_up(self, agent: Agent, error: OperatorError) -> bool:
        """A gone agent whose work cannot be looked at is judged without it: its ticket waits for a word on it."""
        state, progress = self._fleet.activities[agent.id].state, self._book.progress.get(agent.id)
        if not isinstance(state, GONE) or not isinstance(error, WorkspaceError | SessionGone) or progress is None:
            return False
        now, why = self._book.clock(), f"what it left could not be looked at: {error.message}"
        over = phases.Vanished(now, state.reason) if isinstance(state, Lost) else phases.Broke(now, why)
        entry = self._book.entry("step.broke", progress, reason=over.reason)
        await self._book.put(evolve(progress, phase=over), entries=[entry])
        return True
