"""Making a ticket's worktree, in steps: a killed daemon may leave it at any, and the next one finishes."""

import shutil
from functools import partial
from pathlib import Path, PurePosixPath
from typing import assert_never

import trio
from attrs import evolve

from supervisor.adapters.workspaces import reading, setup
from supervisor.adapters.workspaces.export import Work, export
from supervisor.adapters.workspaces.places import Phase, Places, Record, holds_anything, is_there
from supervisor.adapters.workspaces.processes import OWNER, end_leftovers
from supervisor.adapters.workspaces.removing import Remover
from supervisor.adapters.workspaces.repository import Repository, registered, start_of, unregister
from supervisor.adapters.workspaces.runner import WRITE, Git
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId
from supervisor.ports import Workspace


class Maker:
    """Prepares worktrees. The caller sees to it that one ticket is prepared once at a time."""

    def __init__(self, git: Git, places: Places, remover: Remover, exports: Path) -> None:
        self._git = git
        self._places = places
        self._remover = remover
        self._exports = exports

    async def prepare(self, repository: Repository, ticket_id: TicketId) -> Workspace:
        """The ticket's worktree, made or found."""
        async with repository.lock:
            path = self._places.worktree(repository.project, ticket_id)
            record = await self.remembered(repository, ticket_id, path)
            made = record.phase is Phase.BEGUN
            if made:
                record = await self._make(repository, ticket_id, record)
        if record.phase is not Phase.READY:
            record = await self._furnish(repository, ticket_id, record, keep=not made)
        return Workspace(record.path, record.branch, record.base, created=made)

    async def remembered(self, repository: Repository, ticket_id: TicketId, path: Path) -> Record:
        """What an earlier call left, cleared of what is useless. CHECKED_OUT is to be kept, BEGUN to be made.

        With the repository's lock held.
        """
        record = self._places.read(repository.project, ticket_id)
        if record is not None and record.phase is Phase.REMOVING:
            await self._remover.finish(repository, ticket_id, record)
            record = None
        if record is None:
            return await (self._found if holds_anything(path) else self._fresh)(repository, ticket_id, path)
        record = evolve(record, path=str(path))
        if record.phase is not Phase.READY and not await end_leftovers(str(path)):
            raise WorkspaceError(
                f"What an earlier set-up of {path} started cannot be ended.",
                hint="End it, then launch again.",
            )
        if not holds_anything(path):  # asked only now: a git that is ended takes its unfinished worktree along
            return await self._again(repository, record)
        match record.phase:
            case Phase.BEGUN:
                await self._discard_unfinished(repository, ticket_id, record)
                return record
            case Phase.CHECKED_OUT:
                await self._repaired(repository, path)
                if await self._is_untouched(repository, record):
                    await self._discard(repository, path)
                    return evolve(record, phase=Phase.BEGUN)
                return record
            case Phase.READY:
                await self._repaired(repository, path)
                return record
            case Phase.REMOVING:
                raise AssertionError("finished above")
            case never:
                assert_never(never)

    async def _fresh(self, repository: Repository, ticket_id: TicketId, path: Path) -> Record:
        """The record of a worktree that nothing is known of. An earlier branch is taken up where it began."""
        start = await start_of(self._git, repository)
        branch = f"operator/{ticket_id}"
        base = start.base
        if (tip := await reading.commit(self._git, repository.path, f"refs/heads/{branch}")) is not None:
            common = await self._git.ask(repository.path, "merge-base", start.base, tip)
            base = common.text if common.code == 0 else base
        return Record(repository.project, str(path), branch, base, start.onto, Phase.BEGUN)

    async def _found(self, repository: Repository, ticket_id: TicketId, path: Path) -> Record:
        """The record of a worktree that is there without one: kept, if it is one of this repository's."""
        branches = await registered(self._git, repository)
        if str(path) not in branches:
            raise WorkspaceError(
                f"{path} is in the way: it is no worktree of {repository.path}.",
                hint="Move it elsewhere, then launch again.",
            )
        record = await self._fresh(repository, ticket_id, path)
        record = evolve(record, branch=branches[str(path)] or record.branch, phase=Phase.CHECKED_OUT)
        common = await self._git.ask(path, "merge-base", record.base, "HEAD")
        return evolve(record, base=common.text) if common.code == 0 else record

    async def _again(self, repository: Repository, record: Record) -> Record:
        """The record for making what was deleted by hand or never made. The base stays if it still exists."""
        again = evolve(record, phase=Phase.BEGUN, handed_over=())
        if await reading.commit(self._git, repository.path, record.base) is None:
            start = await start_of(self._git, repository)
            again = evolve(again, base=start.base, onto=start.onto)
        if record.phase is Phase.BEGUN:
            self._unlock_branch(repository, record)
        return again

    async def _make(self, repository: Repository, ticket_id: TicketId, record: Record) -> Record:
        self._places.write(repository.project, ticket_id, record)
        if record.path in await registered(self._git, repository):
            await unregister(self._git, repository, Path(record.path))
        branch = record.branch
        if await reading.commit(self._git, repository.path, f"refs/heads/{branch}") is None:
            await self._git.out(repository.path, "branch", "--no-track", "--", branch, record.base)
        words = ("worktree", "add", "--", record.path, branch)
        await self._git.out(repository.path, *words, within=WRITE, env={OWNER: record.path})
        made = evolve(record, phase=Phase.CHECKED_OUT)
        self._places.write(repository.project, ticket_id, made)
        return made

    async def _furnish(self, repository: Repository, ticket_id: TicketId, record: Record, keep: bool) -> Record:
        """Copy, set up, and set the completion marker, in this order."""
        path = Path(record.path)
        config = repository.config
        await trio.to_thread.run_sync(setup.make_notes_folder, path)
        await trio.to_thread.run_sync(
            partial(setup.copy_files, repository.path, path, config.copy, self._places.scratch, keep)
        )
        if config.setup is not None:
            env = {
                **self._git.environment(),
                "OPERATOR_TICKET": ticket_id,
                "OPERATOR_PROJECT": repository.project,
                "OPERATOR_PROJECT_PATH": str(repository.path),
            }
            log = self._places.log(repository.project, ticket_id)
            await setup.set_up(config.setup, path, env, config.setup_timeout, log)
        handed_over = () if keep else await reading.handed_over(self._git, path)
        ready = evolve(record, phase=Phase.READY, handed_over=handed_over)
        self._places.write(repository.project, ticket_id, ready)
        return ready

    async def _is_untouched(self, repository: Repository, record: Record) -> bool:
        """Whether a worktree holds no commit beyond its base, and no change but copied files."""
        path = Path(record.path)
        tips = (
            await reading.commit(self._git, path, "HEAD"),
            await reading.commit(self._git, path, f"refs/heads/{record.branch}"),
        )
        known = tuple(tip for tip in tips if tip)
        if await reading.count(self._git, path, known, record.base):
            return False
        names = await reading.changed(self._git, path)
        copied = {str(PurePosixPath(name)) for name in repository.config.copy}
        return names is not None and all(
            name in copied and setup.same_file(repository.path / name, path / name) for name in names
        )

    async def _repaired(self, repository: Repository, path: Path) -> None:
        """See that a worktree still belongs to its repository, also if either was moved."""
        if await self._belongs(repository, path):
            return
        await self._git.ask(repository.path, "worktree", "repair", str(path))
        if not await self._belongs(repository, path):
            raise WorkspaceError(
                f"{path} is no worktree of {repository.path} any more; its files were left as they are.",
                hint="Move that folder elsewhere, then launch again.",
            )

    async def _belongs(self, repository: Repository, path: Path) -> bool:
        words = ("rev-parse", "--path-format=absolute", "--git-common-dir", "--show-toplevel")
        answer = await self._git.ask(path, *words)
        return answer.code == 0 and answer.text == f"{repository.common}\n{path}"

    async def _discard_unfinished(self, repository: Repository, ticket_id: TicketId, record: Record) -> None:
        """Remove a checkout that git was killed in; whatever it cannot have written itself is exported."""
        path = Path(record.path)
        self._unlock_branch(repository, record)
        tip = await reading.commit(self._git, repository.path, f"refs/heads/{record.branch}") or record.base
        at = (f"--git-dir={repository.common}", f"--work-tree={path}")
        index = self._places.scratch / f"unfinished-{ticket_id}"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            await self._git.out(repository.path, *at, "read-tree", tip, env=env)
            await self._git.out(path, *at, "add", "-A", within=WRITE, env=env)
            tree = (await self._git.out(repository.path, *at, "write-tree", env=env)).text
        finally:
            index.unlink(missing_ok=True)
        differs = await self._git.out(
            repository.path, "diff", "--name-only", "--no-renames", "--diff-filter=d", tip, tree, "--"
        )
        if differs.out:
            work = Work(
                ticket_id,
                repository.path,
                repository.path,
                record.branch,
                record.base,
                head=tip,
                tree=tree,
                additions_only=True,
            )
            await export(self._git, work, self._exports, self._places.scratch)
        await self._discard(repository, path)

    async def _discard(self, repository: Repository, path: Path) -> None:
        if not await unregister(self._git, repository, path) and is_there(path):
            await trio.to_thread.run_sync(shutil.rmtree, path)

    def _unlock_branch(self, repository: Repository, record: Record) -> None:
        """Remove the lock that a killed git of ours left on this ticket's branch; no git of ours runs now."""
        lock = repository.common / "refs" / "heads" / f"{record.branch}.lock"
        try:
            lock.unlink(missing_ok=True)
        except NotADirectoryError:
            pass  # a branch has the name of our branches' folder; making the branch will say so
