"""What a step's end leaves for a person to decide about: a plan's text, artifacts, a branch."""

from datetime import datetime
from typing import assert_never

import trio
from attrs import evolve, frozen

from supervisor.actors.fleet import workspace_of
from supervisor.domain import phases
from supervisor.domain.agent import Agent
from supervisor.domain.errors import PullRequestError, WorkspaceError
from supervisor.domain.ids import ReviewId
from supervisor.domain.issue_type import Step
from supervisor.domain.phases import Progress
from supervisor.domain.review import Changes, PlanText, Review, ReviewKind, Subject, Visuals
from supervisor.domain.steps import Scene
from supervisor.domain.ticket import Resume
from supervisor.ports import PullRequests, Workspace, Workspaces

PLAN_LIMIT = 1024 * 1024
"""Bytes of a plan that is shown; a larger one is refused."""
PULL_DEADLINE = 40.0
TITLE = 120
"""Characters of a title."""


@frozen
class Gathered:
    """What is to be decided."""

    kind: ReviewKind
    title: str
    subject: Subject

    def review(self, number: ReviewId, agent: Agent, progress: Progress, step: Step, now: datetime) -> Review:
        return Review(
            number, self.kind, agent.ticket_id, agent.id, step.name, progress.run, self.title, now, self.subject
        )

    def waiting(self, number: ReviewId, progress: Progress, scene: Scene) -> Progress:
        """The step's progress while the verdict is awaited: for a branch that needs no agent."""
        if self.kind is ReviewKind.PR:
            resume = Resume(progress.step, progress.run, review_id=number)
            return evolve(progress, phase=phases.Shelved(scene.now, resume))
        return evolve(progress, phase=phases.InReview(number, scene.activity.turns_ended))


class Gatherer:
    """Looks into worktrees. Raises WorkspaceError."""

    def __init__(self, workspaces: Workspaces, pulls: PullRequests) -> None:
        self._workspaces = workspaces
        self._pulls = pulls

    async def missing(self, workspace: Workspace, progress: Progress, step: Step) -> tuple[str, ...]:
        """The step's globs without a file made or changed in this run."""
        missing = [glob for glob in step.artifacts if not await self._made(workspace, progress, (glob,))]
        return tuple(missing)

    async def _made(self, workspace: Workspace, progress: Progress, globs: tuple[str, ...]) -> list[str]:
        found = await self._workspaces.fingerprints(workspace, globs)
        return sorted(path for path, mark in found.items() if progress.baseline.get(path) != mark)

    async def gather(self, agent: Agent, progress: Progress, step: Step) -> Gathered:
        workspace = workspace_of(agent)
        match step.review:
            case ReviewKind.PLAN:
                return await self._plan(workspace, progress, step)
            case ReviewKind.VISUAL:
                return await self._visual(workspace, progress, step)
            case ReviewKind.PR:
                return await self._branch(agent, workspace)
            case None | ReviewKind.PERMISSION | ReviewKind.QUESTION:
                raise AssertionError(f"step {step.name} ends with no review of a step's end")
            case never:
                assert_never(never)

    async def _plan(self, workspace: Workspace, progress: Progress, step: Step) -> Gathered:
        made = await self._made(workspace, progress, step.artifacts)
        if not made:
            raise WorkspaceError("the plan that it had made is gone")
        text = (await self._workspaces.read(workspace, made[0], PLAN_LIMIT)).decode("utf-8", "replace")
        return Gathered(ReviewKind.PLAN, plan_title(text), PlanText(text, made[0]))

    async def _visual(self, workspace: Workspace, progress: Progress, step: Step) -> Gathered:
        made = set(await self._made(workspace, progress, step.artifacts))
        found = await self._workspaces.artifacts(workspace, step.artifacts)
        shown = tuple(each for each in found if each.name in made)
        if not shown:
            raise WorkspaceError("what it had made to be looked at is gone")
        names = ", ".join(each.url or each.name for each in shown)
        return Gathered(ReviewKind.VISUAL, one_line(f"look at {names}"), Visuals(shown))

    async def _branch(self, agent: Agent, workspace: Workspace) -> Gathered:
        status, stat = await self._workspaces.status(workspace), await self._workspaces.stat(workspace)
        changes = Changes(workspace.branch, status.commits, stat, status.dirty)
        if status.commits:
            changes = await self._offered(agent, workspace, changes)
        commits = f"{status.commits} commit{'' if status.commits == 1 else 's'}"
        where = changes.url or f"branch {workspace.branch}" if workspace.branch else "its worktree"
        return Gathered(ReviewKind.PR, one_line(f"{commits}, {where}"), changes)

    async def _offered(self, agent: Agent, workspace: Workspace, changes: Changes) -> Changes:
        """With its pull request; where that fails, the branch and its diff are what is decided about."""
        try:
            with trio.move_on_after(PULL_DEADLINE):
                body = f"Ticket {agent.ticket_id}, by {agent.driver}."
                pull = await self._pulls.open(agent.project, workspace, agent.title, body)
                return changes if pull is None else evolve(changes, url=pull.url, number=pull.number)
            return evolve(changes, note=f"no pull request was opened: no answer within {PULL_DEADLINE:g} s")
        except PullRequestError as error:
            return evolve(changes, note=f"no pull request was opened: {error.message}")


def plan_title(text: str) -> str:
    """A plan's first line that says something."""
    lines = (line.strip().lstrip("#").strip() for line in text.splitlines())
    return one_line(next((line for line in lines if line), "an empty plan"))


def one_line(text: str) -> str:
    clean = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * TITLE]).split())
    return clean if len(clean) <= TITLE else clean[: TITLE - 1] + "…"
