"""Putting unmerged work somewhere safe before its worktree goes, and proving that it can be brought back."""

import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

import trio
from attrs import frozen

from supervisor.adapters.workspaces.places import sync_folder
from supervisor.adapters.workspaces.reading import PLAIN_PATCH
from supervisor.adapters.workspaces.runner import WRITE, Git
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId

_BUNDLE = "work.bundle"
_PATCH = "uncommitted.patch"


@frozen
class Work:
    """What is to be exported."""

    ticket_id: TicketId
    repository: Path
    where: Path
    """Where git finds the commits: the worktree, or the repository when that is gone."""
    branch: str
    base: str
    refs: tuple[str, ...] = ()
    """References whose commits go into a bundle; none: no bundle."""
    tip: str | None = None
    """The branch's commit."""
    head: str = "HEAD"
    """The commit that the patch applies to."""
    tree: str | None = None
    """The files as a tree, exported as a patch over `head`; None: no patch."""
    additions_only: bool = False
    """The files are of an unfinished checkout: what is not there was never removed."""


async def export(git: Git, work: Work, exports: Path, scratch: Path) -> Path:
    """Write the work to a new folder of `exports`: whole and on the disk, or not there."""
    draft = exports / f".{work.ticket_id}.part"
    _empty(draft)
    if work.refs:
        bundle = str(draft / _BUNDLE)
        await git.out(work.where, "bundle", "create", "--quiet", bundle, *work.refs, "--not", work.base, within=WRITE)
        await git.out(work.repository, "bundle", "verify", "--quiet", bundle, within=WRITE)
    if work.tree is not None:
        await _patch(git, work, draft / _PATCH, scratch)
    final = exports / f"{work.ticket_id}-{_next_number(exports, work.ticket_id)}"
    (draft / "README").write_text(_readme(work, final), "utf-8")
    await trio.to_thread.run_sync(_publish, draft, final)
    return final


def _empty(draft: Path) -> None:
    draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)


async def _patch(git: Git, work: Work, patch: Path, scratch: Path) -> None:
    assert work.tree is not None
    head = work.head
    form = ("--binary", "--full-index", "--no-renames", *PLAIN_PATCH)
    wanted = ("--diff-filter=d",) if work.additions_only else ()
    await git.out(work.where, "diff", *form, *wanted, f"--output={patch}", head, work.tree, "--", within=WRITE)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        env = {"GIT_INDEX_FILE": f"{folder}/index"}
        await git.out(work.where, "read-tree", head, within=WRITE, env=env)
        await git.out(work.where, "apply", "--cached", "--whitespace=nowarn", str(patch), within=WRITE, env=env)
        restored = (await git.out(work.where, "write-tree", within=WRITE, env=env)).text
    if restored != work.tree and not work.additions_only:
        raise WorkspaceError(
            f"The patch of {work.where} does not restore what is there. Nothing was removed.",
            hint="Commit what matters there, then clean again.",
        )


def _next_number(exports: Path, ticket_id: TicketId) -> int:
    pattern = re.compile(re.escape(ticket_id) + r"-(\d+)", re.IGNORECASE)
    return 1 + max((int(found[1]) for name in os.listdir(exports) if (found := pattern.fullmatch(name))), default=0)


def _publish(draft: Path, final: Path) -> None:
    for path in draft.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_folder(draft)
    os.rename(draft, final)
    sync_folder(final.parent)


def _readme(work: Work, final: Path) -> str:
    """How to bring the work back, as commands that can be pasted."""
    lines = [
        f"Unmerged work of ticket {work.ticket_id}, branch {work.branch}, begun at commit {work.base}.",
        f"Run these in {work.repository}, or in any clone that has that commit:",
        "",
    ]
    for ref in work.refs:
        target = f"{work.branch}-head" if ref == "HEAD" else work.branch
        lines.append(f"    git fetch {shlex.quote(str(final / _BUNDLE))} {ref}:refs/heads/{target}")
    if work.tree is not None:
        folder = shlex.quote(f"../{work.ticket_id}")
        if work.refs and work.head == work.tip:
            lines.append(f"    git worktree add {folder} {work.branch}")
        elif work.refs:
            lines.append(f"    git worktree add --detach {folder} {work.head}")
        else:
            lines.append(f"    git worktree add -b {work.branch} {folder} {work.head}")
        lines.append(f"    git -C {folder} apply {shlex.quote(str(final / _PATCH))}")
    return "\n".join(lines) + "\n"
