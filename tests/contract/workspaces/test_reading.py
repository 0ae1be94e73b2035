"""What every `Workspaces` keeps: reading tells all, and the agent's index is its own."""

import os
from pathlib import Path

import pytest
import trio

from supervisor.adapters.workspaces.artifacts import MATCH_LIMIT
from supervisor.adapters.workspaces.reading import DIFF_LIMIT
from supervisor.domain.errors import WorkspaceError
from supervisor.ports import WorkStatus
from tests.contract.workspaces.rig import ENG, Rig, commit, git


async def test_status_from_nothing_to_merged(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    status = rig.workspaces.status
    assert await status(made) == WorkStatus(commits=0, dirty=False, merged=True)
    Path(made.path, "debug.log").write_text("ignored")
    assert (await status(made)).dirty is False
    Path(made.path, "new.py").write_text("x = 1\n")
    assert await status(made) == WorkStatus(commits=0, dirty=True, merged=True)
    commit(made.path, "new.py", "x = 1\n")
    assert await status(made) == WorkStatus(commits=1, dirty=False, merged=False)
    git(made.path, "switch", "-q", "--detach")
    commit(made.path, "other.py", "x = 2\n")
    assert (await status(made)).commits == 2
    git(made.path, "switch", "-q", "operator/ENG-12")
    git(repository, "merge", "-q", "--no-ff", "-m", "merge", "operator/ENG-12")
    assert await status(made) == WorkStatus(commits=1, dirty=False, merged=True)


async def test_diff_shows_all_since_the_base_and_leaves_the_index_alone(rig: Rig, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    at = Path(made.path)
    commit(at, "committed.py", "c = 1\n")
    (at / "staged.py").write_text("s = 1\n")
    git(at, "add", "staged.py")
    (at / "staged.py").write_text("s = 2\n")
    (at / "app.py").write_text("print('two')\n")
    (at / "README.md").unlink()
    (at / "ünträcked file.py").write_text("u = 1\n")
    (at / "debug.log").write_text("ignored")
    (at / "nested").mkdir()
    git(at / "nested", "init", "-q")
    index = Path(git(at, "rev-parse", "--path-format=absolute", "--git-path", "index"))
    git(repository, "config", "color.ui", "always")
    git(repository, "config", "diff.noprefix", "true")
    git(repository, "config", "diff.external", "false")
    os.utime(at / "app.py", (1, 1))
    before = (index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino)
    patch = await rig.workspaces.diff(made)
    await rig.workspaces.status(made)
    assert (index.read_bytes(), index.stat().st_mtime_ns, index.stat().st_ino) == before
    content = git(repository, "hash-object", str(at / "ünträcked file.py"))
    assert content not in git(repository, "cat-file", "--batch-check", "--batch-all-objects")
    for line in ("+c = 1", "+s = 2", "+print('two')", "-hello", "+u = 1", "diff --git a/app.py b/app.py"):
        assert line in patch.splitlines(), line
    assert "+s = 1" not in patch
    assert "debug.log" not in patch
    assert "\033" not in patch
    assert os.listdir(rig.state / "worktrees/.operator/scratch") == []


async def test_diff_applies_to_the_base(rig: Rig, tmp_path: Path, repository: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    Path(made.path, "app.py").write_text("print('two')\nno newline")
    Path(made.path, "new dir").mkdir()
    Path(made.path, "new dir/tab\tname").write_text("text\n")
    patch = await rig.workspaces.diff(made)
    git(tmp_path, "clone", "-q", str(repository), "clone")
    git(tmp_path / "clone", "apply", stdin=patch)
    assert (tmp_path / "clone/new dir/tab\tname").read_text() == "text\n"


async def test_a_long_diff_is_cut_and_says_so(rig: Rig) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    Path(made.path, "long.txt").write_text("x\n" + ("y" * 99 + "\n") * 200_000)
    patch = await rig.workspaces.diff(made)
    assert DIFF_LIMIT * 0.9 < len(patch) < DIFF_LIMIT * 1.1
    assert patch.splitlines()[-1].startswith("[cut: ")
    assert patch.splitlines()[-2] == "+" + "y" * 99


async def test_fingerprints_follow_globs_and_contents_and_no_link_out(rig: Rig, tmp_path: Path) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    at = Path(made.path)
    secret = tmp_path / "secret.md"
    secret.write_text("s")
    (at / "docs/deep/er").mkdir(parents=True)
    for name in ("docs/a.md", "docs/deep/b.md", "docs/deep/er/c.md", "docs/c.txt"):
        (at / name).write_text(name)
    (at / "docs/out.md").symlink_to(secret)
    (at / "docs/outside").symlink_to(tmp_path)
    (at / "docs/loop").symlink_to(at / "docs")
    (at / "docs/in.md").symlink_to("a.md")
    (at / "docs/self.md").symlink_to("self.md")
    (at / "docs/folder.md").mkdir()
    os.mkfifo(at / "docs/pipe.md")

    async def names(*globs: str) -> set[str]:
        return set(await rig.workspaces.fingerprints(made, globs))

    everywhere = {"docs/a.md", "docs/in.md", "docs/deep/b.md", "docs/deep/er/c.md"}
    assert await names("docs/**/*.md") == everywhere
    assert await names("docs/*.md") == {"docs/a.md", "docs/in.md"}
    assert await names("docs/**") == everywhere | {"docs/c.txt"}
    assert await names("**/er/**/*.md", "./docs/c.txt", "absent/*") == {"docs/deep/er/c.md", "docs/c.txt"}
    assert await names("**/**/b.md", "docs/deep") == {"docs/deep/b.md"}
    assert await names(".git", ".git/*", "**/.git") == set()
    first = await rig.workspaces.fingerprints(made, ["docs/**"])
    assert await rig.workspaces.fingerprints(made, ["docs/**"]) == first
    (at / "docs/deep/b.md").write_text("docs/deep/B.md")
    changed = await rig.workspaces.fingerprints(made, ["docs/**"])
    assert {name for name in first if first[name] != changed[name]} == {"docs/deep/b.md"}


@pytest.mark.parametrize("glob", ["/etc/*", "../*", "a/../../b", ""])
async def test_globs_that_lead_out_arerefused(rig: Rig, glob: str) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    with pytest.raises(WorkspaceError, match="leads out"):
        await rig.workspaces.fingerprints(made, [glob])


async def test_too_many_matches_are_refused_and_large_files_are_not_read_whole(rig: Rig) -> None:
    made = await rig.workspaces.prepare("api", ENG)
    large = Path(made.path, "large.bin")
    large.touch()
    os.truncate(large, 50_000_000_000)
    with trio.fail_after(10):
        before = await rig.workspaces.fingerprints(made, ["*.bin"])
    os.truncate(large, 50_000_000_001)
    assert await rig.workspaces.fingerprints(made, ["*.bin"]) != before
    Path(made.path, "many").mkdir()
    for n in range(MATCH_LIMIT + 1):
        Path(made.path, f"many/{n}").touch()
    with pytest.raises(WorkspaceError, match="too much"):
        await rig.workspaces.fingerprints(made, ["many/*"])
