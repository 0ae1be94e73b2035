"""Removing a ticket's worktree and branch, once its work is merged or exported."""

import shutil
from pathlib import Path

import trio
from attrs import evolve

from supervisor.adapters.workspaces import reading
from supervisor.adapters.workspaces.export import Work, export
from supervisor.adapters.workspaces.places import Phase, Places, Record, is_there
from supervisor.adapters.workspaces.reading import Snapshot
from supervisor.adapters.workspaces.repository import Repository, registered, unregister
from supervisor.adapters.workspaces.runner import Git
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId


class Remover:
    """Removes worktrees. The caller sees to it that nothing else works on the ticket's worktree meanwhile."""

    def __init__(self, git: Git, places: Places, exports: Path) -> None:
        self._git = git
        self._places = places
        self._exports = exports

    async def clean(self, repository: Repository, ticket_id: TicketId, record: Record) -> str | None:
        """Export what is not merged, then remove worktree and branch. The export's folder, or None."""
        if record.phase is not Phase.REMOVING:
            path = Path(record.path)
            if is_there(path):
                tip, exported = await self._secure_worktree(repository, ticket_id, record)
            else:
                tip, exported = await self._secure_branch(repository, ticket_id, record)
            record = evolve(record, phase=Phase.REMOVING, tip=tip, exported=exported)
            self._places.write(repository.project, ticket_id, record)
        async with repository.lock:
            await self.finish(repository, ticket_id, record)
        return record.exported

    async def finish(self, repository: Repository, ticket_id: TicketId, record: Record) -> None:
        """Remove what a record says is safe to remove. With the repository's lock held. Idempotent."""
        path = Path(record.path)
        known = await registered(self._git, repository)
        gone = str(path) not in known or await unregister(self._git, repository, path)
        if is_there(path):
            if not gone:
                raise WorkspaceError(
                    f"git does not remove the worktree {path}.",
                    hint=f"Run `git worktree remove {path}` to see why.",
                )
            await trio.to_thread.run_sync(shutil.rmtree, path)
        elsewhere = record.branch in (branch for at, branch in known.items() if at != str(path))
        tip = await reading.commit(self._git, repository.path, f"refs/heads/{record.branch}")
        if tip is not None and tip == record.tip and not elsewhere:
            await self._git.out(repository.path, "branch", "-D", "--quiet", "--", record.branch)
        self._places.forget(repository.project, ticket_id)

    async def _secure_branch(
        self, repository: Repository, ticket_id: TicketId, record: Record
    ) -> tuple[str | None, str | None]:
        """For a worktree that is gone already: its branch may still hold work."""
        tip = await reading.commit(self._git, repository.path, f"refs/heads/{record.branch}")
        tips = (tip,) if tip else ()
        refs = (f"refs/heads/{record.branch}",) if await self._unmerged(repository.path, record, tips) else ()
        if not refs:
            return tip, None
        where = repository.path
        work = Work(ticket_id, where, where, record.branch, record.base, refs, tip=tip)
        return tip, str(await export(self._git, work, self._exports, self._places.scratch))

    async def _secure_worktree(
        self, repository: Repository, ticket_id: TicketId, record: Record
    ) -> tuple[str | None, str | None]:
        path = Path(record.path)
        inner = await reading.inner_work(self._git, path)
        if inner:
            raise WorkspaceError(
                f"{path} holds repositories with work that is nowhere else: {', '.join(inner[:5])}. "
                "Nothing was removed.",
                hint="Commit and push what matters in them, or delete them; then clean again.",
            )
        held = await self._snapshot(record)
        work = await self._work(repository, ticket_id, record, held)
        exported = None
        if work is not None:
            exported = str(await export(self._git, work, self._exports, self._places.scratch))
        if await self._snapshot(record) != held:
            raise WorkspaceError(
                f"{path} changed while it was looked through. Nothing was removed.",
                hint="Stop what works in it, then clean again.",
            )
        return held.tip, exported

    async def _work(self, repository: Repository, ticket_id: TicketId, record: Record, held: Snapshot) -> Work | None:
        path = Path(record.path)
        dirty = await reading.is_dirty(self._git, path, record.handed_over)
        if held.head is None:
            if not dirty and not held.tip:
                return None
            raise WorkspaceError(
                f"{path} has no commit checked out. Nothing was removed.",
                hint=f"Commit there, or switch it to {record.branch}; then clean again.",
            )
        refs: list[str] = []
        if held.tip and await self._unmerged(path, record, (held.tip,)):
            refs.append(f"refs/heads/{record.branch}")
        if held.head != held.tip and await self._unmerged(path, record, (held.head,)):
            refs.append("HEAD")
        if not refs and not dirty:
            return None
        return Work(
            ticket_id=ticket_id,
            repository=repository.path,
            where=path,
            branch=record.branch,
            base=record.base,
            refs=tuple(refs),
            tip=held.tip,
            head=held.head,
            tree=held.tree if dirty else None,
        )

    async def _unmerged(self, where: Path, record: Record, tips: tuple[str, ...]) -> bool:
        """Whether the tips have commits that are not where they are to be merged."""
        if not await reading.count(self._git, where, tips, record.base):
            return False
        return not await reading.contained(self._git, where, tips, record.onto)

    async def _snapshot(self, record: Record) -> Snapshot:
        return await reading.snapshot(self._git, Path(record.path), record.branch, self._places.scratch)
