"""What every `Workspaces` keeps: nothing goes that is not merged or exported."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from supervisor.domain.errors import WorkspaceError
from supervisor.ports import Workspace, WorkStatus
from tests.contract.workspaces.rig import ENG, Rig, commit, delete, git, rig_for


def _gone(rig: Rig, repository: Path, made: Workspace) -> None:
    assert not Path(made.path).exists()
    assert made.branch not in git(repository, "branch", "--format=%(refname:short)").splitlines()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert list((rig.state / "worktrees/.operator").glob("*/*.*")) == []


async def test_clean_without_work_and_clean_merged_need_no_export(rig: Rig, repository: Path) -> None:
    for work in (False, True):
        made = await rig.workspaces.prepare("api", ENG)
        if work:
            commit(made.path, "new.py", "x = 1\n")
            git(repository, "merge", "-q", "--no-ff", "-m", "merge", "operator/ENG-12")
            git(repository, "switch", "-q", "-c", "side", "HEAD~1")
        Path(made.path, "debug.log").write_text("ignored")
        assert (await rig.workspaces.clean("api", ENG, made)).path is None
        _gone(rig, repository, made)
        assert (await rig.again().workspaces.clean("api", ENG, made)).path is None
    assert not rig.exports.exists()


def _restore(readme: Path, repository: Path) -> None:
    for line in readme.read_text().splitlines():
        if line.startswith("    "):
            subprocess.run(line, shell=True, cwd=repository, check=True, capture_output=True)


async def test_unmerged_and_uncommitted_work_is_exported_and_can_be_brought_back(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    at = Path(made.path)
    tip = commit(at, "new.py", "x = 1\n")
    (at / "app.py").write_text("print('two')  \r\n\ttrailing \n")
    (at / "README.md").unlink()
    (at / "binary.bin").write_bytes(bytes(range(256)) * 9)
    (at / "späce d").mkdir()
    (at / "späce d/untracked").write_text("no newline")
    (at / "run.sh").write_text("#!/bin/sh\n")
    (at / "run.sh").chmod(0o755)
    (at / "link").symlink_to("/nowhere")
    exported = await rig.workspaces.clean("api", ENG, made)
    assert exported.path == str(rig.exports / "ENG-12-1")
    _gone(rig, repository, made)
    assert sorted(os.listdir(exported.path)) == ["README", "uncommitted.patch", "work.bundle"]
    assert os.listdir(rig.exports) == ["ENG-12-1"]
    git(repository, "bundle", "verify", f"{exported.path}/work.bundle")
    git(repository, "gc", "-q", "--prune=now")  # what comes back comes out of the export
    _restore(Path(exported.path, "README"), repository)
    back = repository.parent / "ENG-12"
    assert git(back, "rev-parse", "HEAD") == tip
    assert git(back, "branch", "--show-current") == "operator/ENG-12"
    assert (back / "app.py").read_bytes() == b"print('two')  \r\n\ttrailing \n"
    assert not (back / "README.md").exists()
    assert (back / "binary.bin").read_bytes() == bytes(range(256)) * 9
    assert (back / "späce d/untracked").read_text() == "no newline"
    assert os.access(back / "run.sh", os.X_OK)
    assert os.readlink(back / "link") == "/nowhere"


async def test_only_what_is_not_safe_elsewhere_is_exported(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    commit(made.path, "new.py", "x = 1\n")
    first = await rig.workspaces.clean("api", ENG, made)
    assert first.path is not None
    assert sorted(os.listdir(first.path)) == ["README", "work.bundle"]
    made = await rig.workspaces.prepare("api", ENG)
    Path(made.path, "app.py").write_text("print('two')\n")
    second = await rig.workspaces.clean("api", ENG, made)
    assert second.path == str(rig.exports / "ENG-12-2")
    assert sorted(os.listdir(second.path)) == ["README", "uncommitted.patch"]
    _gone(rig, repository, made)
    _restore(Path(second.path, "README"), repository)
    assert (repository.parent / "ENG-12/app.py").read_text() == "print('two')\n"


async def test_commits_on_no_branch_are_exported_too(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    git(made.path, "switch", "-q", "--detach")
    loose = commit(made.path, "loose.py", "x = 1\n")
    Path(made.path, "app.py").write_text("print('two')\n")
    exported = await rig.workspaces.clean("api", ENG, made)
    assert exported.path is not None
    _gone(rig, repository, made)
    git(repository, "gc", "-q", "--prune=now")
    _restore(Path(exported.path, "README"), repository)
    assert git(repository.parent / "ENG-12", "rev-parse", "HEAD") == loose
    assert (repository.parent / "ENG-12/app.py").read_text() == "print('two')\n"


async def test_a_worktree_deleted_by_hand_is_no_error_and_its_branch_is_exported(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    commit(made.path, "new.py", "x = 1\n")
    delete(made.path)
    exported = await rig.workspaces.clean("api", ENG, made)
    assert exported.path is not None
    assert sorted(os.listdir(exported.path)) == ["README", "work.bundle"]
    _gone(rig, repository, made)


async def test_a_branch_that_is_in_use_elsewhere_stays(rig: Rig, repository: Path, tmp_path: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    git(made.path, "switch", "-q", "--detach")
    git(repository, "worktree", "add", "-q", str(tmp_path / "elsewhere"), "operator/ENG-12")
    await rig.workspaces.clean("api", ENG, made)
    assert not Path(made.path).exists()
    assert git(tmp_path / "elsewhere", "status", "--porcelain", "-b") == "## operator/ENG-12"


async def test_repositories_inside_are_not_lost(rig: Rig, repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    commit(library, "lib.c", "int x;\n")
    git(repository, "submodule", "--quiet", "add", str(library), "lib")
    commit(repository, "x", "x")
    made = await rig.workspaces.prepare("api", ENG)
    git(made.path, "submodule", "--quiet", "update", "--init")
    git(f"{made.path}/lib", "switch", "-q", "-c", "work")
    commit(f"{made.path}/lib", "lib.c", "int y;\n")
    Path(made.path, "own").mkdir()
    git(f"{made.path}/own", "init", "-q")
    with pytest.raises(WorkspaceError, match="nowhere else: own, lib") as raised:
        await rig.workspaces.clean("api", ENG, made)
    assert raised.value.hint
    assert Path(made.path, "lib/lib.c").read_text() == "int y;\n"
    assert not rig.exports.exists()
    git(f"{made.path}/lib", "push", "-q", "origin", "work")
    Path(made.path, "own/.git").rename(tmp_path / "own.git")
    exported = await rig.workspaces.clean("api", ENG, made)
    assert exported.path is not None
    assert not Path(made.path).exists()


async def test_clean_is_finished_by_the_next_daemon(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    commit(made.path, "new.py", "x = 1\n")
    [marker] = (rig.state / "worktrees/.operator").glob("*/*.json")
    said = json.loads(marker.read_text())
    exported = str(rig.exports / "ENG-12-1")
    tip = git(made.path, "rev-parse", "HEAD")
    marker.write_text(json.dumps(said | {"phase": "removing", "tip": tip, "exported": exported}))
    Path(made.path, "app.py").unlink()
    assert (await rig.again().workspaces.clean("api", ENG, made)).path == exported
    _gone(rig, repository, made)
    assert not rig.exports.exists()


async def test_a_branch_that_went_on_since_its_work_was_found_safe_stays(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    [marker] = (rig.state / "worktrees/.operator").glob("*/*.json")
    marker.write_text(json.dumps(json.loads(marker.read_text()) | {"phase": "removing", "tip": made.base}))
    tip = commit(repository, "later.txt", "x\n")
    git(repository, "update-ref", "refs/heads/operator/ENG-12", tip)
    await rig.again().workspaces.clean("api", ENG, made)
    assert git(repository, "rev-parse", "operator/ENG-12") == tip


async def test_nothing_is_removed_when_the_export_cannot_be_written(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    commit(made.path, "new.py", "x = 1\n")
    rig.exports.write_text("a file, not a folder")
    with pytest.raises(WorkspaceError):
        await rig.workspaces.clean("api", ENG, made)
    assert Path(made.path, "new.py").exists()
    rig.exports.unlink()
    assert (await rig.workspaces.clean("api", ENG, made)).path is not None


async def test_clean_of_another_path_than_the_tickets_isrefused(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    other = Workspace(str(repository), made.branch, made.base, created=False)
    with pytest.raises(WorkspaceError, match="Nothing was removed"):
        await rig.workspaces.clean("api", ENG, other)
    assert Path(repository, "app.py").exists()


async def test_a_project_without_worktrees_is_its_own_workspace(tmp_path: Path, repository: Path) -> None:
    (repository / "part").mkdir()
    base = commit(repository, "part/x.py", "x = 1\n")
    rig = rig_for(tmp_path, repository / "part", worktrees=False, setup="touch never")
    made = await rig.workspaces.prepare("api", ENG)
    assert made == Workspace(str(repository / "part"), None, base, created=False)
    assert await rig.workspaces.status(made) == WorkStatus(commits=0, dirty=False, merged=True)
    (repository / "part/x.py").write_text("x = 2\n")
    assert "+x = 2" in await rig.workspaces.diff(made)
    assert set(await rig.workspaces.fingerprints(made, ["*.py"])) == {"x.py"}
    assert (await rig.workspaces.status(made)).dirty is True
    assert (await rig.workspaces.clean("api", ENG, made)).path is None
    assert sorted(os.listdir(repository / "part")) == ["x.py"]
    assert git(repository, "branch", "--format=%(refname:short)") == "main"
