"""A project's git repository: what is there, where tickets start, which worktrees it has."""

import os
from pathlib import Path

import trio
from attrs import field, frozen

from supervisor.adapters.workspaces.reading import commit
from supervisor.adapters.workspaces.runner import WRITE, Git, failed
from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import WorkspaceError


@frozen
class Repository:
    """One project's repository. `lock` is held for whatever changes its list of worktrees or branches."""

    project: str
    path: Path
    common: Path
    """The git folder that all its worktrees share."""
    config: ProjectConfig
    lock: trio.Lock = field(eq=False, repr=False)


@frozen
class Start:
    """Where a ticket's work begins, and where it is to be merged."""

    base: str
    onto: str


async def locate(git: Git, project: str, config: ProjectConfig) -> tuple[Path, Path]:
    """The project's folder and its shared git folder. Raises WorkspaceError where there is no repository."""
    path = Path(config.path)
    words = ("rev-parse", "--show-cdup", "--path-format=absolute", "--git-common-dir")
    answer = await git.ask(path, *words)
    if answer.code != 0:
        raise failed(path, words, answer)
    up, _, common = os.fsdecode(answer.out).partition("\n")
    if up and config.worktrees:
        raise WorkspaceError(
            f"The folder of project {project}, {path}, is a part of the repository {(path / up).resolve()}.",
            hint="Name the repository's own folder, or set `worktrees = false`.",
        )
    return path, Path(common.rstrip("\n"))


async def start_of(git: Git, repository: Repository) -> Start:
    """What the project's `base` stands for now. Raises WorkspaceError if it is no commit."""
    name = repository.config.base or "HEAD"
    base = await commit(git, repository.path, name)
    if base is None and repository.config.base is not None:
        raise WorkspaceError(
            f"The base of project {repository.project}, {name!r}, is no commit in {repository.path}.",
            hint=f"Fetch it, or correct `base` in [projects.{repository.project}].",
        )
    if base is None:
        raise WorkspaceError(f"{repository.path} has no commit to start from.", hint="Make a first commit there.")
    answer = await git.ask(repository.path, "rev-parse", "--verify", "--quiet", "--symbolic-full-name", name)
    is_reference = answer.code == 0 and answer.text.startswith("refs/")
    return Start(base, answer.text if is_reference else base)


async def registered(git: Git, repository: Repository) -> dict[str, str | None]:
    """The repository's worktrees by path, each with the branch it has checked out."""
    listed = os.fsdecode((await git.out(repository.path, "worktree", "list", "--porcelain", "-z")).out)
    found: dict[str, str | None] = {}
    for block in listed.split("\0\0"):
        facts = {name: value for name, _, value in (line.partition(" ") for line in block.split("\0"))}
        if "worktree" in facts:
            found[facts["worktree"]] = facts["branch"].removeprefix("refs/heads/") if "branch" in facts else None
    return found


async def unregister(git: Git, repository: Repository, path: Path) -> bool:
    """Remove a worktree, whatever is in it, and what git knows of it. True if git did."""
    words = ("worktree", "remove", "--force", "--force", "--", str(path))
    return (await git.ask(repository.path, *words, within=WRITE)).code == 0
