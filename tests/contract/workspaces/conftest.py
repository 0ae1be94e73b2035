"""Every test here has a git user and a repository of its own."""

import os
from pathlib import Path

import pytest

from tests.contract.workspaces.rig import Rig, commit, git, rig_for


@pytest.fixture(autouse=True)
def own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of our own: no setting of the machine's reaches these tests."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "gitconfig").write_text(
        "[user]\n name = Test\n email = test@example.invalid\n[init]\n defaultBranch = main\n"
        '[protocol "file"]\n allow = always\n'
    )
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "my repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("*.log\n.env\nnode_modules/\n")
    (folder / "app.py").write_text("print('one')\n")
    commit(folder, "README.md", "hello\n")
    return folder


@pytest.fixture
def rig(tmp_path: Path, repository: Path) -> Rig:
    return rig_for(tmp_path, repository)
