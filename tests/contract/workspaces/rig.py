"""A state directory with a repository beside it, and git as a test needs it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from supervisor.adapters.workspaces import GitWorkspaces
from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId
from supervisor.ports import Workspaces

ENG = TicketId("ENG-12")


def git(where: Path | str, *words: str, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    done = subprocess.run(
        ["git", *words], cwd=where, env={**os.environ, **(env or {})}, input=stdin, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(where: Path | str, name: str, text: str) -> str:
    Path(where, name).write_text(text)
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", f"write {name}")
    return git(where, "rev-parse", "HEAD")


def delete(path: Path | str) -> None:
    """What a person's `rm -rf` does."""
    shutil.rmtree(path)


class Rig:
    """One state directory; `again()` is the next daemon on it."""

    def __init__(self, state: Path, projects: dict[str, ProjectConfig]) -> None:
        self.state = state
        self.projects = projects
        self.exports = state / "exports"
        self.workspaces: Workspaces = GitWorkspaces(state / "worktrees", projects, self.exports)

    def again(self) -> "Rig":
        return Rig(self.state, self.projects)


def rig_for(tmp_path: Path, repository: Path, **settings: object) -> Rig:
    return Rig(tmp_path / "state", {"api": ProjectConfig(str(repository), **settings)})  # type: ignore[arg-type]


async def refused(rig: Rig, project: str = "api") -> WorkspaceError:
    with pytest.raises(WorkspaceError) as raised:
        await rig.workspaces.prepare(project, ENG)
    assert raised.value.hint, raised.value.message
    assert len(raised.value.message) < 1500
    return raised.value


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
