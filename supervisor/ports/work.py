"""Worktrees, prompts and pull requests."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from supervisor.domain.ids import TicketId
from supervisor.domain.issue_type import Step
from supervisor.domain.review import Artifact
from supervisor.domain.ticket import Ticket


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
