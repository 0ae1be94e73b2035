"""What every `Workspaces` keeps: a worktree of its own for each ticket, whatever the names and the moment."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from supervisor.adapters.workspaces import GitWorkspaces
from supervisor.domain.config import ProjectConfig
from supervisor.domain.errors import WorkspaceError
from supervisor.domain.ids import TicketId
from supervisor.ports import Workspace, WorkStatus
from tests.contract.workspaces.rig import ENG, Rig, commit, delete, git, refused, rig_for


async def test_a_worktree_on_its_own_branch_from_the_pinned_base(rig: Rig, repository: Path) -> None:
    base = git(repository, "rev-parse", "HEAD")
    made = await rig.workspaces.prepare("api", ENG)
    assert made == Workspace(str(rig.state / "worktrees/api/ENG-12"), "operator/ENG-12", base, created=True)
    assert git(made.path, "branch", "--show-current") == "operator/ENG-12"
    assert git(made.path, "status", "--porcelain") == ""
    assert git(repository, "branch", "--show-current") == "main"
    assert sorted(os.listdir(made.path)) == [".git", ".gitignore", ".operator", "README.md", "app.py"]


async def test_a_later_prepare_finds_it_with_the_agents_work_and_the_same_base(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    commit(made.path, "new.py", "x = 1\n")
    Path(made.path, "draft.txt").write_text("half a thought")
    commit(repository, "later.txt", "main moved on\n")
    found = await rig.again().workspaces.prepare("api", ENG)
    assert found == Workspace(made.path, made.branch, made.base, created=False)
    assert Path(found.path, "draft.txt").read_text() == "half a thought"


async def test_the_base_a_project_names_is_taken_and_not_what_is_checked_out(tmp_path: Path, repository: Path) -> None:
    wanted = git(repository, "rev-parse", "HEAD")
    git(repository, "branch", "stable")
    commit(repository, "later.txt", "x\n")
    rig = rig_for(tmp_path, repository, base="stable")
    made = await rig.workspaces.prepare("api", ENG)
    assert made.base == wanted
    assert not Path(made.path, "later.txt").exists()


async def test_a_branch_from_earlier_is_taken_up_where_it_began(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    tip = commit(made.path, "new.py", "x = 1\n")
    git(repository, "worktree", "remove", made.path)
    commit(repository, "later.txt", "main moved on\n")
    for name in ("with its record", "without one"):
        again = await rig.again().workspaces.prepare("api", ENG)
        assert (again.base, again.created) == (made.base, True), name
        assert git(again.path, "rev-parse", "HEAD") == tip
        assert (await rig.workspaces.status(again)).commits == 1
        git(repository, "worktree", "remove", made.path)
        for record in (rig.state / "worktrees/.operator").glob("*/*.json"):
            record.unlink()


async def test_a_worktree_deleted_by_hand_is_made_again(rig: Rig) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    tip = commit(made.path, "new.py", "x = 1\n")
    delete(made.path)
    gone = await rig.workspaces.status(made)
    assert gone == WorkStatus(commits=1, dirty=False, merged=False, exists=False)
    again = await rig.again().workspaces.prepare("api", ENG)
    assert (again.base, again.created) == (made.base, True)
    assert git(again.path, "rev-parse", "HEAD") == tip


async def test_a_repository_that_moved_is_found_again(tmp_path: Path, rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    Path(made.path, "draft.txt").write_text("half a thought")
    moved = repository.rename(tmp_path / "moved")
    found = await rig_for(tmp_path, moved).workspaces.prepare("api", ENG)
    assert found.created is False
    assert git(found.path, "status", "--porcelain") == "?? draft.txt"


async def test_what_is_no_worktree_is_not_touched(rig: Rig) -> None:
    foreign = rig.state / "worktrees/api/ENG-12"
    foreign.mkdir(parents=True)
    (foreign / "precious").write_text("mine")
    with pytest.raises(WorkspaceError, match="in the way") as raised:
        await rig.workspaces.prepare("api", ENG)
    assert raised.value.hint
    assert (foreign / "precious").read_text() == "mine"


async def test_names_that_differ_in_case_only_get_folders_that_do_not(rig: Rig) -> None:
    upper = await rig.workspaces.prepare("api", TicketId("ENG-1"))
    lower = await rig.workspaces.prepare("api", TicketId("eng-1"))
    names = {Path(each.path).name.casefold() for each in (upper, lower)}
    assert len(names) == 2
    assert await rig.again().workspaces.prepare("api", TicketId("eng-1")) == Workspace(
        lower.path, lower.branch, lower.base, created=False
    )
    assert (await rig.again().workspaces.prepare("api", TicketId("ENG-1"))).path == upper.path


@pytest.mark.parametrize("name", ["..", "a/b", "/etc", "ünï cödé", "-x", ".operator", "a\nb", "x" * 300, "~"])
async def test_any_project_name_has_a_folder_inside_the_root(tmp_path: Path, repository: Path, name: str) -> None:
    rig = Rig(tmp_path / "state", {name: ProjectConfig(str(repository)), "a_b": ProjectConfig(str(repository))})
    made = await rig.workspaces.prepare(name, ENG)
    root = rig.state / "worktrees"
    assert Path(made.path).parent.parent == root
    assert Path(made.path).parent.name != ".operator"
    assert (await rig.again().workspaces.prepare(name, ENG)).created is False


@pytest.mark.parametrize("hostile", ["..", "a/b", "/etc/x", "a\nb", "", "x" * 300, "-rf"])
async def test_what_cannot_be_a_ticket_id_isrefused(rig: Rig, hostile: str) -> None:
    with pytest.raises(WorkspaceError, match="cannot name a worktree"):
        await rig.workspaces.prepare("api", TicketId(hostile))


async def test_a_link_in_the_way_is_not_followed_out_of_the_root(tmp_path: Path, rig: Rig) -> None:
    (rig.state / "worktrees").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (rig.state / "worktrees/api").symlink_to(tmp_path / "outside")
    with pytest.raises(WorkspaceError, match="out of the folder"):
        await rig.workspaces.prepare("api", ENG)
    assert os.listdir(tmp_path / "outside") == []


async def test_odd_paths_and_an_environment_that_points_elsewhere(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = repository.rename(tmp_path / "-dåsh & $(x) 'q'")
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    rig = Rig(tmp_path / "stäte dir", {"api": ProjectConfig(str(odd), setup="git status --porcelain > st.log")})
    made = await rig.workspaces.prepare("api", ENG)
    assert Path(made.path, "st.log").read_text() == ""
    assert "+print('two')" in await _diff_of_a_change(rig, made)
    assert os.listdir(other) == [".git"]


async def _diff_of_a_change(rig: Rig, made: Workspace) -> str:
    Path(made.path, "app.py").write_text("print('two')\n")
    return await rig.workspaces.diff(made)


async def test_many_tickets_of_one_repository_at_once(rig: Rig, repository: Path) -> None:
    ids = [TicketId(f"ENG-{n}") for n in range(12)]
    made: list[Workspace] = []

    async def one(ticket_id: TicketId) -> None:
        made.append(await rig.workspaces.prepare("api", ticket_id))

    async with trio.open_nursery() as nursery:
        for ticket_id in (*ids, *ids):
            nursery.start_soon(one, ticket_id)
    assert len({each.path for each in made}) == 12
    assert sum(each.created for each in made) == 12
    assert len(git(repository, "worktree", "list").splitlines()) == 13


async def test_a_lock_that_another_git_holds_is_waited_for(rig: Rig, repository: Path) -> None:
    lock = repository / ".git/refs/heads/operator/ENG-12.lock"
    lock.parent.mkdir()
    lock.write_text("")
    async with trio.open_nursery() as nursery:

        async def release() -> None:
            await trio.sleep(0.3)
            lock.unlink()

        nursery.start_soon(release)
        assert (await rig.workspaces.prepare("api", ENG)).created


async def test_a_lock_that_stays_is_told(rig: Rig, repository: Path) -> None:
    lock = repository / ".git/refs/heads/operator/ENG-12.lock"
    lock.parent.mkdir()
    lock.write_text("")
    with pytest.raises(WorkspaceError, match=r"ENG-12\.lock") as raised:
        await rig.workspaces.prepare("api", ENG)
    assert ".lock" in raised.value.hint
    lock.unlink()
    assert (await rig.workspaces.prepare("api", ENG)).created


async def test_each_reason_has_a_sentence_and_a_hint(tmp_path: Path, repository: Path) -> None:
    plain, empty = tmp_path / "plain", tmp_path / "empty"
    plain.mkdir()
    empty.mkdir()
    git(empty, "init", "-q")
    (repository / "part").mkdir()
    assert "not a git repository" in (await refused(rig_for(tmp_path, plain))).message
    assert "no commit" in (await refused(rig_for(tmp_path, empty))).message
    assert "'nowhere'" in (await refused(rig_for(tmp_path, repository, base="nowhere"))).message
    assert "'--all'" in (await refused(rig_for(tmp_path, repository, base="--all"))).message
    assert "is not a folder" in (await refused(rig_for(tmp_path, tmp_path / "missing"))).message
    assert "part of the repository" in (await refused(rig_for(tmp_path, repository / "part"))).message
    assert "no project" in (await refused(rig_for(tmp_path, repository), "web")).message


async def test_a_branch_that_is_checked_out_elsewhere_or_cannot_be_named(rig: Rig, repository: Path) -> None:
    git(repository, "switch", "-q", "-c", "operator/ENG-12")
    assert "another branch" in (await refused(rig)).hint
    git(repository, "switch", "-q", "main")
    git(repository, "branch", "-D", "operator/ENG-12")
    git(repository, "branch", "operator")
    assert "Rename the branch" in (await refused(rig)).hint
    git(repository, "branch", "-m", "operator", "else")
    assert (await rig.workspaces.prepare("api", ENG)).created


async def test_git_that_is_not_installed(tmp_path: Path, repository: Path) -> None:
    workspaces = GitWorkspaces(
        tmp_path / "w", {"api": ProjectConfig(str(repository))}, tmp_path / "e", {"PATH": str(tmp_path)}
    )
    with pytest.raises(WorkspaceError, match="not installed"):
        await workspaces.prepare("api", ENG)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)


async def test_a_full_disk_is_told_and_finished_when_there_is_room(repository: Path, small_disk: Path) -> None:
    (repository / "big.bin").write_bytes(os.urandom(400_000))
    commit(repository, "more.txt", "x")
    rig = rig_for(small_disk, repository)
    error = await refused(rig)
    assert "full" in error.hint or "space" in error.hint
    _enlarge(small_disk)
    made = await rig.again().workspaces.prepare("api", ENG)
    assert made.created
    assert git(made.path, "status", "--porcelain") == ""
