"""Git worktrees, one for each ticket, that outlive any crash and never go with work that is nowhere else."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import trio

from supervisor.adapters.workspaces import artifacts, reading, showing
from supervisor.adapters.workspaces.making import Maker
from supervisor.adapters.workspaces.places import Phase, Places, Record, is_there
from supervisor.adapters.workspaces.removing import Remover
from supervisor.adapters.workspaces.repository import Repository, locate, start_of
from supervisor.adapters.workspaces.runner import Git, unusable
from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId
from supervisor.domain.review import Artifact
from supervisor.ports import Exported, Workspace, WorkStatus


class GitWorkspaces:
    """Implements `ports.Workspaces`: `<root>/<project>/<ticket id>` on branch `operator/<ticket id>`.

    A project with `worktrees = false` is its own workspace: nothing is made or removed there.
    """

    def __init__(
        self,
        root: Path,
        projects: Mapping[str, ProjectConfig],
        exports: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is what git and set-up commands start from; by default the daemon's own."""
        self._git = Git(environment)
        self._places = Places(root)
        self._projects = projects
        self._remover = Remover(self._git, self._places, exports)
        self._maker = Maker(self._git, self._places, self._remover, exports)
        self._locks: WeakValueDictionary[tuple[str, ...], trio.Lock] = WeakValueDictionary()

    async def prepare(self, project: str, ticket_id: TicketId) -> Workspace:
        """Make the ticket's worktree and branch, copy and set up; or find what an earlier call finished."""
        with self._system_errors():
            repository = await self._repository(project)
            if not repository.config.worktrees:
                start = await start_of(self._git, repository)
                return Workspace(str(repository.path), None, start.base, created=False)
            self._places.open()
            async with self._lock("ticket", project, ticket_id):
                return await self._maker.prepare(repository, ticket_id)

    async def status(self, workspace: Workspace) -> WorkStatus:
        """What it holds."""
        path = Path(workspace.path)
        with self._system_errors():
            record = self._places.find(path)
            if not is_there(path):
                return await self._status_of_branch(workspace, record)
            tips = await self._tips(path, workspace)
            base = workspace.base or "HEAD"
            onto = "HEAD" if workspace.branch is None else record.onto if record is not None else base
            return WorkStatus(
                commits=await reading.count(self._git, path, tips, base),
                dirty=await reading.is_dirty(self._git, path, record.handed_over if record else ()),
                merged=await reading.contained(self._git, path, tips, onto),
            )

    async def fingerprints(self, workspace: Workspace, globs: Sequence[str]) -> dict[str, str]:
        """A fingerprint for each file inside the worktree that a glob matches; links out do not count."""
        with self._system_errors():
            return await trio.to_thread.run_sync(
                artifacts.fingerprints, Path(workspace.path), tuple(globs), abandon_on_cancel=True
            )

    async def diff(self, workspace: Workspace) -> str:
        """A patch of everything since the base, untracked files included; the agent's index is left alone."""
        with self._system_errors():
            self._places.open()
            path, base = Path(workspace.path), workspace.base or "HEAD"
            return await reading.diff(self._git, path, base, self._places.scratch)

    async def artifacts(self, workspace: Workspace, globs: Sequence[str]) -> tuple[Artifact, ...]:
        """The files that a glob matches, with their type by content."""
        with self._system_errors():
            return await trio.to_thread.run_sync(
                showing.artifacts, Path(workspace.path), tuple(globs), abandon_on_cancel=True
            )

    async def read(self, workspace: Workspace, name: str, limit: int) -> bytes:
        """A file's content."""
        with self._system_errors():
            return await trio.to_thread.run_sync(
                showing.read, Path(workspace.path), name, limit, abandon_on_cancel=True
            )

    async def stat(self, workspace: Workspace) -> str:
        """A diff stat of everything since the base, untracked files included."""
        with self._system_errors():
            self._places.open()
            path, base = Path(workspace.path), workspace.base or "HEAD"
            return await reading.stat(self._git, path, base, self._places.scratch)

    async def clean(self, project: str, ticket_id: TicketId, workspace: Workspace) -> Exported:
        """Remove worktree and branch; what is not merged is exported first. Idempotent."""
        with self._system_errors():
            repository = await self._repository(project)
            if not repository.config.worktrees or workspace.branch is None:
                return Exported(None)
            self._places.open()
            async with self._lock("ticket", project, ticket_id):
                path = self._places.worktree(project, ticket_id)
                if workspace.path != str(path):
                    raise WorkspaceError(
                        f"{workspace.path} is not {ticket_id}'s worktree, {path}. Nothing was removed."
                    )
                record = self._places.read(project, ticket_id)
                if record is None or record.phase is not Phase.REMOVING:
                    async with repository.lock:
                        record = await self._maker.remembered(repository, ticket_id, path)
                return Exported(await self._remover.clean(repository, ticket_id, record))

    async def _repository(self, project: str) -> Repository:
        config = self._projects.get(project)
        if config is None:
            raise WorkspaceError(
                f"There is no project {project!r}.", hint=f"Add [projects.{project}] to operator.toml."
            )
        path, common = await locate(self._git, project, config)
        return Repository(project, path, common, config, self._lock("repository", str(common)))

    def _lock(self, *name: str) -> trio.Lock:
        """The lock of that name; it is kept for as long as somebody holds or awaits it."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = trio.Lock()
        return lock

    async def _tips(self, where: Path, workspace: Workspace) -> tuple[str, ...]:
        names = ("HEAD",) if workspace.branch is None else ("HEAD", f"refs/heads/{workspace.branch}")
        tips = [await reading.commit(self._git, where, name) for name in names]
        return tuple(dict.fromkeys(tip for tip in tips if tip))

    async def _status_of_branch(self, workspace: Workspace, record: Record | None) -> WorkStatus:
        """For a worktree that is gone: what its branch holds."""
        if record is None or record.project not in self._projects:
            return WorkStatus(commits=0, dirty=False, merged=False, exists=False)
        where = Path(self._projects[record.project].path)
        tip = await reading.commit(self._git, where, f"refs/heads/{record.branch}")
        tips = (tip,) if tip else ()
        return WorkStatus(
            commits=await reading.count(self._git, where, tips, record.base),
            dirty=False,
            merged=bool(tips) and await reading.contained(self._git, where, tips, record.onto),
            exists=False,
        )

    @contextmanager
    def _system_errors(self) -> Iterator[None]:
        """What the system refuses, such as a write to a full disk, as this port's error."""
        try:
            yield
        except OSError as error:
            raise unusable(self._places.root, error) from error
