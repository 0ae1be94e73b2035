"""What a worktree holds, read without touching the agent's own index."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import frozen

from supervisor.adapters.workspaces.artifacts import marks
from supervisor.adapters.workspaces.runner import WRITE, Git, failed
from supervisor.domain.errors import WorkspaceError

DIFF_LIMIT = 2 * 1024 * 1024
"""Bytes of a patch that are shown."""

STAT_LINES = 200

HANDED_OVER_LIMIT = 5000
"""Uncommitted files of copying and set-up that are remembered; with more, all of them count as work."""

PLAIN_PATCH = (
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--submodule=short",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
"""A patch that means the same whatever the user's configuration says."""

_NESTING = 5
"""Repositories inside repositories that are looked into."""


@frozen
class Snapshot:
    """All that a worktree holds but ignored files, and where its commits stand."""

    head: str | None
    tip: str | None
    """The ticket's branch."""
    tree: str

    @property
    def tips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for each in (self.tip, self.head) if each))


async def commit(git: Git, where: Path, name: str) -> str | None:
    """The commit that a name stands for."""
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    answer = await git.ask(where, *words)
    return answer.text if answer.code == 0 else None


async def count(git: Git, where: Path, tips: tuple[str, ...], base: str) -> int:
    """How many commits the tips have beyond the base."""
    if not tips:
        return 0
    return int((await git.out(where, "rev-list", "--count", *tips, "--not", base)).text)


async def contained(git: Git, where: Path, tips: tuple[str, ...], onto: str) -> bool:
    """Whether all tips are ancestors of `onto`, as it stands now."""
    if await commit(git, where, onto) is None:
        return False
    for tip in tips:
        words = ("merge-base", "--is-ancestor", tip, onto)
        answer = await git.ask(where, *words)
        if answer.code > 1:
            raise failed(where, words, answer)
        if answer.code == 1:
            return False
    return True


async def changed(git: Git, worktree: Path) -> list[str] | None:
    """Files that no commit holds, ignored ones left out; None when they are too many to list.

    A name with a slash at its end is a repository of its own.
    """
    words = ("status", "--porcelain=v1", "-z", "-uall", "--no-renames", "--ignore-submodules=none")
    answer = await git.ask(worktree, *words)
    if answer.code != 0:
        raise failed(worktree, words, answer)
    return None if answer.cut else [os.fsdecode(line[3:]) for line in answer.out.split(b"\0") if line]


async def is_dirty(git: Git, worktree: Path, handed_over: tuple[str, ...]) -> bool:
    """Whether there is uncommitted work: more than what copying and set-up left and nobody changed."""
    names = await changed(git, worktree)
    if not names:
        return names is None
    if not handed_over or len(names) > HANDED_OVER_LIMIT:
        return True
    found = await trio.to_thread.run_sync(marks, worktree, names)
    return not set(found) <= set(handed_over)


async def handed_over(git: Git, worktree: Path) -> tuple[str, ...]:
    """Marks of what is uncommitted now, for `is_dirty` later."""
    names = await changed(git, worktree)
    if not names or len(names) > HANDED_OVER_LIMIT:
        return ()
    files = [name for name in names if not name.endswith("/")]
    return tuple(await trio.to_thread.run_sync(marks, worktree, files))


@asynccontextmanager
async def private_index(git: Git, worktree: Path, scratch: Path) -> AsyncIterator[dict[str, str]]:
    """Environment in which git uses a copy of the worktree's index.

    The copy keeps the index's time: git tells by it which files it must look into again.
    """
    index = Path((await git.out(worktree, "rev-parse", "--path-format=absolute", "--git-path", "index")).text)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        mine = Path(folder) / "index"
        await trio.to_thread.run_sync(_copy_index, index, mine)
        yield {"GIT_INDEX_FILE": str(mine)}


def _copy_index(index: Path, mine: Path) -> None:
    try:
        shutil.copy2(index, mine)
    except FileNotFoundError:
        pass  # git makes a missing index from nothing


async def diff(git: Git, worktree: Path, base: str, scratch: Path) -> str:
    """A patch of all since the base, untracked files included; if longer than DIFF_LIMIT it says so."""
    async with private_index(git, worktree, scratch) as env:
        # Only names are added, no content is written to the repository. What cannot be added is left out.
        await git.ask(worktree, "add", "-A", "-N", "--ignore-errors", within=WRITE, env=env)
        words = ("diff", *PLAIN_PATCH, base, "--")
        answer = await git.ask(worktree, *words, within=WRITE, env=env, limit=DIFF_LIMIT)
    if answer.code != 0:
        raise failed(worktree, words, answer)
    text = answer.out.decode("utf-8", "replace")
    if answer.cut:
        text = f"{text[: text.rfind(chr(10)) + 1]}[cut: the patch is longer than {DIFF_LIMIT} bytes]\n"
    return text


async def stat(git: Git, worktree: Path, base: str, scratch: Path) -> str:
    """Which files differ from the base and by how much, untracked ones included, at most STAT_LINES of them."""
    async with private_index(git, worktree, scratch) as env:
        await git.ask(worktree, "add", "-A", "-N", "--ignore-errors", within=WRITE, env=env)
        words = ("diff", "--no-color", "--no-ext-diff", f"--stat=100,80,{STAT_LINES}", base, "--")
        answer = await git.ask(worktree, *words, within=WRITE, env=env, limit=DIFF_LIMIT)
    if answer.code != 0:
        raise failed(worktree, words, answer)
    return answer.out.decode("utf-8", "replace")


async def snapshot(git: Git, worktree: Path, branch: str, scratch: Path) -> Snapshot:
    """What the worktree holds now, its files as a tree in the repository."""
    head = await commit(git, worktree, "HEAD")
    tip = await commit(git, worktree, f"refs/heads/{branch}")
    async with private_index(git, worktree, scratch) as env:
        await git.out(worktree, "add", "-A", within=WRITE, env=env)
        tree = (await git.out(worktree, "write-tree", within=WRITE, env=env)).text
    return Snapshot(head, tip, tree)


async def inner_work(git: Git, worktree: Path, depth: int = _NESTING) -> list[str]:
    """Submodules and other repositories inside with changes or commits that nothing outside them holds."""
    found: list[str] = []
    for name in await _inner_repositories(git, worktree):
        inner = worktree / name
        names = await changed(git, inner)
        local = await git.ask(inner, "rev-list", "--max-count=1", "--all", "HEAD", "--not", "--remotes")
        if names or names is None or local.code != 0 or local.out or depth == 0:
            found.append(name)
        else:
            found += [f"{name}/{each}" for each in await inner_work(git, inner, depth - 1)]
    return found


async def _inner_repositories(git: Git, worktree: Path) -> list[str]:
    names = await changed(git, worktree)
    if names is None:
        raise WorkspaceError(
            f"{worktree} has too many untracked files to look through.",
            hint="Ignore or remove what need not be kept.",
        )
    listed = await git.out(worktree, "ls-files", "-s", "-z")
    if listed.cut:
        raise WorkspaceError(f"{worktree} has too many files to look through.")
    links = [line.partition(b"\t")[2] for line in listed.out.split(b"\0") if line.startswith(b"160000 ")]
    inside = [name.rstrip("/") for name in names if name.endswith("/")] + [os.fsdecode(link) for link in links]
    return [name for name in dict.fromkeys(inside) if (worktree / name / ".git").exists()]
