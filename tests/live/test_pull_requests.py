"""Branches offered by `gh`: pushed to a real remote, opened once, watched; and what is said when that fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from supervisor.adapters.pullrequests import GhPullRequests
from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import PullRequestError
from supervisor.ports import PullRequest, PullState, Workspace

FAKE = Path(__file__).parents[1] / "fakes" / "gh.py"


class Rig:
    """A repository with a remote, and a `gh` of its own."""

    def __init__(self, root: Path) -> None:
        self.remote, self.repo, self.store = root / "remote.git", root / "repo", root / "gh.json"
        (root / "bin").mkdir()
        program = root / "bin" / "gh"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
        program.chmod(0o755)
        self.env = {
            "PATH": f"{root / 'bin'}:{os.environ['PATH']}", "HOME": str(root), "FAKE_GH": str(self.store),
            "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        self.git(root, "init", "-q", "--bare", str(self.remote))
        self.git(root, "init", "-q", "-b", "main", str(self.repo))
        self.git(self.repo, "remote", "add", "origin", str(self.remote))
        self.commit("begin")
        self.git(self.repo, "checkout", "-q", "-b", "operator/ENG-1")
        self.commit("work")
        self.workspace = Workspace(str(self.repo), "operator/ENG-1", "main", created=False)
        self.config = ProjectConfig(str(self.repo), base="main", pull_requests="gh")

    def git(self, where: Path, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=where, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        identity = ("-c", "user.name=T", "-c", "user.email=t@localhost")
        self.git(self.repo, *identity, "commit", "-q", "--allow-empty", "-m", message)

    def pulls(self, **changes: str) -> GhPullRequests:
        return GhPullRequests({"api": self.config}, {**self.env, **changes})

    @property
    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store.read_text())
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


async def test_a_branch_is_pushed_and_offered_once(rig: Rig) -> None:
    made = await rig.pulls().open("api", rig.workspace, "Limit “logins”", "Ticket ENG-1.\n`x` $(y)")
    assert made == PullRequest("https://git.example/o/r/pull/1", 1)
    assert rig.git(rig.remote, "rev-parse", "operator/ENG-1") == rig.git(rig.repo, "rev-parse", "HEAD")
    (pull,) = rig.kept["pulls"]
    assert (pull["title"], pull["body"], pull["base"]) == ("Limit “logins”", "Ticket ENG-1.\n`x` $(y)", "main")
    rig.commit("more")
    assert await rig.pulls().open("api", rig.workspace, "Another title", "") == made
    assert rig.git(rig.remote, "rev-parse", "operator/ENG-1") == rig.git(rig.repo, "rev-parse", "HEAD")
    assert len(rig.kept["pulls"]) == 1


async def test_what_somebody_else_pushed_is_not_overwritten(rig: Rig) -> None:
    await rig.pulls().open("api", rig.workspace, "t", "")
    other = rig.repo.parent / "other"
    rig.git(rig.repo.parent, "clone", "-q", "-b", "operator/ENG-1", str(rig.remote), str(other))
    identity = ("-c", "user.name=P", "-c", "user.email=p@localhost")
    rig.git(other, *identity, "commit", "-q", "--allow-empty", "-m", "theirs")
    rig.git(other, "push", "-q")
    rig.commit("ours")
    with pytest.raises(PullRequestError, match="git push"):
        await rig.pulls().open("api", rig.workspace, "t", "")
    assert rig.git(rig.remote, "log", "-1", "--format=%s", "operator/ENG-1") == "theirs"


@pytest.mark.parametrize(
    ("state", "known"), [("OPEN", PullState.OPEN), ("MERGED", PullState.MERGED), ("CLOSED", PullState.CLOSED)]
)
async def test_its_state_is_read(rig: Rig, state: str, known: PullState) -> None:
    made = await rig.pulls().open("api", rig.workspace, "t", "")
    assert made is not None
    kept = rig.kept
    kept["pulls"][0]["state"] = state
    rig.store.write_text(json.dumps(kept))
    assert await rig.pulls().state("api", made) is known


async def test_a_project_that_offers_none_pushes_nothing(rig: Rig) -> None:
    rig.config = evolve(rig.config, pull_requests="none")
    assert await rig.pulls().open("api", rig.workspace, "t", "") is None
    assert await rig.pulls().open("api", evolve(rig.workspace, branch=None), "t", "") is None
    assert rig.git(rig.remote, "branch", "--list") == ""


async def test_what_fails_is_said_with_what_mends_it(rig: Rig) -> None:
    with pytest.raises(PullRequestError) as auth:
        await rig.pulls(FAKE_GH_TROUBLE="auth").open("api", rig.workspace, "t", "")
    assert "gh auth status" in auth.value.hint
    with pytest.raises(PullRequestError, match="no JSON"):
        await rig.pulls(FAKE_GH_TROUBLE="html").open("api", rig.workspace, "t", "")
    rig.git(rig.repo, "remote", "set-url", "origin", str(rig.remote / "nowhere"))
    with pytest.raises(PullRequestError, match="git push"):
        await rig.pulls().open("api", rig.workspace, "t", "")


async def test_without_gh_it_says_how_to_get_it(rig: Rig) -> None:
    (rig.repo.parent / "bin" / "gh").unlink()
    with pytest.raises(PullRequestError, match="gh is not installed") as missing:
        await rig.pulls(PATH="/usr/bin:/bin").open("api", rig.workspace, "t", "")
    assert "gh auth login" in missing.value.hint
