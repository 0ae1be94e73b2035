"""What every `Workspaces` keeps: a daemon killed at any point leaves what the next one finishes."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supervisor.ports import Workspace
from tests.contract.workspaces.rig import ENG, Rig, alive, commit, git, rig_for

_DAEMON = """
import sys, trio
from pathlib import Path
from supervisor.adapters.workspaces.git import GitWorkspaces
from supervisor.domain.config import ProjectConfig
state, repository, setup = Path(sys.argv[1]), sys.argv[2], sys.argv[3] or None
projects = {"api": ProjectConfig(repository, setup=setup, copy=(".env",))}
rig = GitWorkspaces(state / "worktrees", projects, state / "exports")
print("ready", flush=True)
trio.run(rig.prepare, "api", "ENG-12")
print("made", flush=True)
"""

_KILL = 'kill -9 "$(cat "$DAEMON_PID_FILE")"\n'


@pytest.fixture
def killed(tmp_path: Path, repository: Path) -> Rig:
    """A rig whose first daemon was killed at a point that the test chose by a hook or the set-up."""
    (repository / ".env").write_text("SECRET=1\n")
    return rig_for(tmp_path, repository, copy=(".env",), setup="echo done > setup.log")


def _run_daemon(rig: Rig, setup: str, kill_after: float | None = None) -> str:
    pid_file = rig.state.parent / "daemon.pid"
    argv = [sys.executable, "-c", _DAEMON, str(rig.state), rig.projects["api"].path, setup]
    env = {**os.environ, "DAEMON_PID_FILE": str(pid_file), "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as daemon:
        pid_file.write_text(str(daemon.pid))
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        if kill_after is not None:
            time.sleep(kill_after)
            daemon.kill()
        return daemon.stdout.read()


def _hook(repository: Path, name: str, text: str) -> Path:
    hook = repository / ".git/hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n" + text)
    hook.chmod(0o755)
    return hook


async def _is_whole(rig: Rig, created: bool) -> Workspace:
    made = await rig.again().workspaces.prepare("api", ENG)
    assert made.created is created
    assert git(made.path, "status", "--porcelain") == ""
    assert git(made.path, "branch", "--show-current") == "operator/ENG-12"
    assert Path(made.path, ".env").read_text() == "SECRET=1\n"
    assert Path(made.path, "setup.log").read_text() == "done\n"
    assert (await rig.again().workspaces.prepare("api", ENG)).created is False
    return made


@pytest.mark.parametrize(
    ("hook", "then"),
    [
        ("reference-transaction", "sleep 60"),
        ("reference-transaction", "true"),
        ("post-checkout", "sleep 60"),
        ("post-checkout", "true"),
    ],
)
async def test_killed_while_git_worked(killed: Rig, repository: Path, hook: str, then: str) -> None:
    base = git(repository, "rev-parse", "HEAD")
    path = _hook(repository, hook, _KILL + then)
    assert _run_daemon(killed, "true") == ""
    path.unlink()
    commit(repository, "later.txt", "main moved on\n")
    made = await _is_whole(killed, created=True)
    assert made.base == base
    assert not killed.exports.exists()


async def test_killed_while_the_set_up_ran(killed: Rig, repository: Path) -> None:
    assert _run_daemon(killed, f"echo $$ > {repository}/pid; {_KILL} sleep 600".replace(str(repository), ".")) == ""
    left = int((killed.state / "worktrees/api/ENG-12/pid").read_text())
    (killed.state / "worktrees/api/ENG-12/pid").unlink()
    await _is_whole(killed, created=True)
    assert not alive(left)


async def test_killed_during_the_set_up_and_then_worked_in_by_a_person(killed: Rig) -> None:
    _run_daemon(killed, _KILL + "sleep 600")
    worktree = killed.state / "worktrees/api/ENG-12"
    tip = commit(worktree, "mine.txt", "by hand\n")
    made = await _is_whole(killed, created=False)
    assert git(made.path, "rev-parse", "HEAD") == tip


async def test_killed_in_a_checkout_that_somebody_then_wrote_into(killed: Rig, repository: Path) -> None:
    path = _hook(repository, "post-checkout", _KILL + "sleep 60")
    _run_daemon(killed, "true")
    path.unlink()
    worktree = killed.state / "worktrees/api/ENG-12"
    (worktree / "mine.txt").write_text("by hand\n")
    (worktree / "app.py").unlink()
    await _is_whole(killed, created=True)
    patch = (killed.exports / "ENG-12-1/uncommitted.patch").read_text()
    assert "+by hand" in patch
    assert "app.py" not in patch


@pytest.mark.slow
async def test_killed_at_any_time(killed: Rig, repository: Path) -> None:
    for n in range(300):
        (repository / f"file{n}.txt").write_text("text\n" * n)
    commit(repository, "x", "x")
    for n in range(12):
        _run_daemon(killed, "echo half > setup.log; sleep 0.05; echo done > setup.log", kill_after=0.02 + 0.015 * n)
    made = await killed.again().workspaces.prepare("api", ENG)
    assert git(made.path, "status", "--porcelain") == ""
    assert Path(made.path, "setup.log").read_text() == "done\n"
    assert not killed.exports.exists() or os.listdir(killed.exports) == []


async def test_a_damaged_record_keeps_the_work(killed: Rig) -> None:
    made = await killed.workspaces.prepare("api", ENG)
    tip = commit(made.path, "mine.txt", "work\n")
    for record in (killed.state / "worktrees/.operator").glob("*/*.json"):
        record.write_text('{"half')
    again = await _is_whole(killed, created=False)
    assert (again.base, git(again.path, "rev-parse", "HEAD")) == (made.base, tip)


async def test_the_marker_stands_outside_the_tree_and_says_base_branch_and_path(rig: Rig) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    [marker] = (rig.state / "worktrees/.operator").glob("*/*.json")
    said = json.loads(marker.read_text())
    assert (said["base"], said["branch"], said["path"]) == (made.base, made.branch, made.path)
    assert said["phase"] == "ready"
    assert stat.S_IMODE(marker.stat().st_mode) == 0o600
