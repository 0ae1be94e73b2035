import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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
