import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.clients.rehearsal.listener import Hooked, Launch, Listener
from tests.unit.clients.rehearsal.stage import Rehearsal, Start


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
    return path


@pytest.fixture
def start(repository: Path) -> Iterator[Start]:
    running: list[Rehearsal] = []

    def begin(*options: str, directory: Path = repository, journal: str | None = None) -> Rehearsal:
        running.append(Rehearsal(directory, *options, journal=journal))
        return running[-1]

    yield begin
    for agent in running:
        agent.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def launch(repository: Path, home: Path, tmp_path: Path, listener: Listener) -> Iterator[Launch]:
    """Start an agent with hooks; by default all of them are posted to the listener."""
    running: list[Hooked] = []

    def begin(*options: str, settings: str | None = None) -> Hooked:
        settings = settings or listener.settings(tmp_path / "settings.json")
        running.append(Hooked(repository, home, listener, "--settings", settings, *options))
        return running[-1]

    yield begin
    for agent in running:
        agent.close()
